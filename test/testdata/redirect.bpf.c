// XDP programs that redirect packets to a device and to a CPU, and programs that wait for them there.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct bpf_devmap_val);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct bpf_cpumap_val);
} cpus SEC(".maps");

// One variable, so that its layout is the one written here.
struct {
	__u64 arrived;
	__u64 on_device;
	__u64 on_cpu;
	__u32 largest;
	__u32 egress_ifindex;
} seen;

SEC("xdp")
int to_device(struct xdp_md *ctx)
{
	__sync_fetch_and_add(&seen.arrived, 1);
	return bpf_redirect_map(&ports, 0, XDP_PASS);
}

SEC("xdp")
int to_cpu(struct xdp_md *ctx)
{
	__sync_fetch_and_add(&seen.arrived, 1);
	return bpf_redirect_map(&cpus, 0, XDP_PASS);
}

SEC("xdp/devmap")
int on_device(struct xdp_md *ctx)
{
	__sync_fetch_and_add(&seen.on_device, 1);
	seen.egress_ifindex = ctx->egress_ifindex;
	return XDP_DROP;
}

SEC("xdp/cpumap")
int on_cpu(struct xdp_md *ctx)
{
	__sync_fetch_and_add(&seen.on_cpu, 1);
	return XDP_PASS;
}

SEC("xdp.frags")
int in_pieces(struct xdp_md *ctx)
{
	__u32 length = bpf_xdp_get_buff_len(ctx);

	if (length > seen.largest)
		seen.largest = length;
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
