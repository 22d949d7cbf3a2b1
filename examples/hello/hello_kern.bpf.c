// Says hello in the kernel's trace log (trace_pipe) at every connect(2).
// Skeleton: bpfskel gen hello_kern.o > hello.skel.ts
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct pt_regs;

SEC("kprobe/security_socket_connect")
int hello(struct pt_regs *ctx)
{
	char msg[] = "Hello eBPF!";

	bpf_trace_printk(msg, sizeof(msg));
	return 0;
}

// The same for kernels built without kprobes. The `?` keeps it out of load() and attach() until it is asked for.
SEC("?tracepoint/syscalls/sys_enter_connect")
int hello_tracepoint(void *ctx)
{
	char msg[] = "Hello eBPF!";

	bpf_trace_printk(msg, sizeof(msg));
	return 0;
}

char _license[] SEC("license") = "GPL";
