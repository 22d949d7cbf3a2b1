// String literals and constants of the compiler lie in sections without types.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static const char *const names[] = { "zero", "one", "two" };

SEC("socket")
int prints(struct __sk_buff *skb)
{
	static const char format[] = "%d %s";
	__u8 buffer[32] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17 };

	bpf_trace_printk(format, sizeof(format), skb->len, "literal");
	bpf_printk("bare %d", buffer[skb->len & 31]);
	return bpf_strncmp("kernel", 6, "kernel") + (names[0] == names[1]);
}

char _license[] SEC("license") = "GPL";
