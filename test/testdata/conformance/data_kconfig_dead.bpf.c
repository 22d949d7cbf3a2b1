// Constants of the configuration are frozen before the verifier runs, so that it drops what they rule out.
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

extern int LINUX_KERNEL_VERSION __kconfig;
extern bool CONFIG_NO_SUCH_THING __kconfig __weak;

SEC("socket")
int dead(struct __sk_buff *skb)
{
	char *nowhere = (char *)8;

	return LINUX_KERNEL_VERSION == 1 || CONFIG_NO_SUCH_THING ? *nowhere : 0;
}

SEC("socket")
int alive(struct __sk_buff *skb)
{
	char *nowhere = (char *)8;

	return LINUX_KERNEL_VERSION != 1 ? *nowhere : 0;
}

char _license[] SEC("license") = "GPL";

