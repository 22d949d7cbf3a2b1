// SPDX-License-Identifier: GPL-2.0
// A scheduler that leaves every decision to the kernel: it has a name, and nothing to do when it starts.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct sched_ext_ops {
	__s32 (*init)(void);
	char name[128];
};

SEC("struct_ops.s/init")
__s32 BPF_PROG(start)
{
	return 0;
}

SEC(".struct_ops.link")
struct sched_ext_ops scheduler = {
	.init = (void *)start,
	.name = "bpfskel",
};

char _license[] SEC("license") = "GPL";
