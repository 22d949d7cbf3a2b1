// A symbol that must be there and is not keeps every program out.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const int no_such_variable __ksym;

SEC("raw_tp")
int needs(void *context)
{
	return (__u64)&no_such_variable;
}

SEC("raw_tp")
int needs_nothing(void *context)
{
	return 0;
}

char _license[] SEC("license") = "GPL";
