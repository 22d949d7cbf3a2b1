// Attach targets that the kernel does not have, and one that is not stated.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("fentry/no_such_function_of_any_kernel")
int no_function(__u64 *context)
{
	return 0;
}

SEC("tp_btf/no_such_tracepoint")
int no_tracepoint(__u64 *context)
{
	return 0;
}

SEC("lsm/no_such_hook")
int no_hook(__u64 *context)
{
	return 0;
}

SEC("?fexit")
int unstated(__u64 *context)
{
	return 0;
}

SEC("raw_tp")
int fine(__u64 *context)
{
	return 0;
}

char _license[] SEC("license") = "GPL";
