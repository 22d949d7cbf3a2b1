// Symbols of the kernel without a type are addresses; weak ones that are not there are 0.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const void vfs_read __ksym;
extern const void vfs_write __ksym;
extern const void no_such_symbol __ksym __weak;

__u64 seen[2];

SEC("raw_tp")
int addresses(void *context)
{
	seen[0] = (__u64)&vfs_read;
	seen[1] = (__u64)&vfs_write;
	return &no_such_symbol != 0;
}

char _license[] SEC("license") = "GPL";
