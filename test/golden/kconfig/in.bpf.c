#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern unsigned int LINUX_KERNEL_VERSION __kconfig;
extern _Bool CONFIG_BPF_SYSCALL __kconfig __weak;
extern enum libbpf_tristate CONFIG_IPV6 __kconfig __weak;

__u64 out;

SEC("xdp")
int count(struct xdp_md *ctx)
{
	out = LINUX_KERNEL_VERSION + CONFIG_BPF_SYSCALL + CONFIG_IPV6;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
