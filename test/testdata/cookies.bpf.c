// Programs of every kind that can ask for its cookie.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int target_pid;
__u64 seen;

static __always_inline int note(void *ctx)
{
	if (bpf_get_current_pid_tgid() >> 32 == target_pid)
		seen = bpf_get_attach_cookie(ctx);
	return 0;
}

SEC("raw_tp/sys_enter")
int on_raw_tp(void *ctx) { return note(ctx); }

SEC("tp_btf/sys_enter")
int on_tp_btf(void *ctx) { return note(ctx); }

SEC("fentry/do_unlinkat")
int on_fentry(void *ctx) { return note(ctx); }

SEC("fexit/do_unlinkat")
int on_fexit(void *ctx) { return note(ctx); }

SEC("fmod_ret/security_file_open")
int on_fmod_ret(void *ctx) { return note(ctx); }

SEC("lsm/file_open")
int on_lsm(void *ctx) { return note(ctx); }

SEC("kprobe/do_unlinkat")
int on_kprobe(void *ctx) { return note(ctx); }

SEC("kretprobe/do_unlinkat")
int on_kretprobe(void *ctx) { return note(ctx); }

SEC("kprobe.multi/do_unlinkat")
int on_kprobe_multi(void *ctx) { return note(ctx); }

SEC("ksyscall/unlink")
int on_ksyscall(void *ctx) { return note(ctx); }

SEC("tracepoint/syscalls/sys_enter_unlink")
int on_tracepoint(void *ctx) { return note(ctx); }

SEC("uprobe/libc.so.6:unlink")
int on_uprobe(void *ctx) { return note(ctx); }

SEC("uretprobe/libc.so.6:unlink")
int on_uretprobe(void *ctx) { return note(ctx); }

SEC("uprobe.multi/libc.so.6:unlink")
int on_uprobe_multi(void *ctx) { return note(ctx); }

SEC("perf_event")
int on_perf_event(void *ctx) { return note(ctx); }

char LICENSE[] SEC("license") = "GPL";
