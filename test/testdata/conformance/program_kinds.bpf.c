// What section names stand for: program type, expected attach type, flags.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp") int on_xdp(struct xdp_md *c) { return XDP_PASS; }
SEC("xdp/cpumap") int on_xdp_cpumap(struct xdp_md *c) { return XDP_PASS; }
SEC("xdp/devmap") int on_xdp_devmap(struct xdp_md *c) { return XDP_PASS; }
SEC("classifier") int on_classifier(struct __sk_buff *c) { return 0; }
SEC("action") int on_action(struct __sk_buff *c) { return 0; }
SEC("lwt_xmit") int on_lwt_xmit(struct __sk_buff *c) { return 0; }
SEC("sockops") int on_sockops(struct bpf_sock_ops *c) { return 0; }
SEC("sk_msg") int on_sk_msg(struct sk_msg_md *c) { return SK_PASS; }
SEC("sk_skb/stream_verdict") int on_sk_skb(struct __sk_buff *c) { return SK_PASS; }
SEC("sk_lookup") int on_sk_lookup(struct bpf_sk_lookup *c) { return SK_PASS; }
SEC("sk_reuseport/migrate") int on_sk_reuseport(struct sk_reuseport_md *c) { return SK_PASS; }
SEC("cgroup_skb/egress") int on_cgroup_egress(struct __sk_buff *c) { return 1; }
SEC("cgroup/connect4") int on_connect4(struct bpf_sock_addr *c) { return 1; }
SEC("cgroup/sendmsg6") int on_sendmsg6(struct bpf_sock_addr *c) { return 1; }
SEC("cgroup/sock_create") int on_sock_create(struct bpf_sock *c) { return 1; }
SEC("cgroup/post_bind4") int on_post_bind4(struct bpf_sock *c) { return 1; }
SEC("cgroup/getsockopt") int on_getsockopt(struct bpf_sockopt *c) { return 1; }
SEC("cgroup/sysctl") int on_sysctl(struct bpf_sysctl *c) { return 1; }
SEC("cgroup/dev") int on_dev(struct bpf_cgroup_dev_ctx *c) { return 1; }
SEC("flow_dissector") int on_flow_dissector(struct __sk_buff *c) { return BPF_OK; }
SEC("perf_event") int on_perf_event(void *c) { return 0; }
SEC("kprobe/do_unlinkat") int on_kprobe(void *c) { return 0; }
SEC("kretprobe/do_unlinkat") int on_kretprobe(void *c) { return 0; }
SEC("uprobe.s//bin/true:main") int on_sleepable_uprobe(void *c) { return 0; }
SEC("tp/sched/sched_switch") int on_tracepoint(void *c) { return 0; }
SEC("raw_tp/sys_enter") int on_raw_tracepoint(void *c) { return 0; }
SEC("raw_tp.w/sys_enter") int on_writable_raw_tracepoint(void *c) { return 0; }
SEC("syscall") int on_syscall(void *c) { return 0; }

char _license[] SEC("license") = "GPL";
