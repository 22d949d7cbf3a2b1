// The kernel's configuration as variables: every type, values that are not there, and what only the loader knows.
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

extern int LINUX_KERNEL_VERSION __kconfig;
extern bool LINUX_HAS_SYSCALL_WRAPPER __kconfig;
extern bool LINUX_HAS_BPF_COOKIE __kconfig;
extern bool CONFIG_BPF __kconfig;
extern enum libbpf_tristate CONFIG_NET __kconfig;
extern char CONFIG_BPF_SYSCALL __kconfig;
extern int CONFIG_HZ __kconfig __weak;
extern unsigned long long CONFIG_LOG_BUF_SHIFT __kconfig __weak;
extern char CONFIG_CC_VERSION_TEXT[12] __kconfig __weak;
extern bool CONFIG_NO_SUCH_THING __kconfig __weak;
extern short CONFIG_NO_SUCH_NUMBER __kconfig __weak;

SEC("socket")
int reads(struct __sk_buff *skb)
{
	int sum = LINUX_KERNEL_VERSION + CONFIG_HZ + CONFIG_LOG_BUF_SHIFT + CONFIG_CC_VERSION_TEXT[2];

	if (LINUX_HAS_SYSCALL_WRAPPER && LINUX_HAS_BPF_COOKIE)
		sum++;
	if (CONFIG_BPF && CONFIG_NET == TRI_YES && CONFIG_BPF_SYSCALL == 'y')
		sum += 2;
	return sum + CONFIG_NO_SUCH_THING + CONFIG_NO_SUCH_NUMBER;
}

char _license[] SEC("license") = "GPL";

