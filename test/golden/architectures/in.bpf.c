// Options: --arch x86=in.x86.bpf.o --arch arm64=in.arm64.bpf.o
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* One source for two architectures: registers, and the names of system calls, are each architecture's own. */

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};
#define FIRST_ARGUMENT(ctx) ((ctx)->di)
#define SYSCALL(name) "kprobe/__x64_sys_" name
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	__u64 regs[31], sp, pc, pstate;
};
struct pt_regs {
	union {
		struct user_pt_regs user_regs;
		struct {
			__u64 regs[31], sp, pc, pstate;
		};
	};
	__u64 orig_x0;
};
#define FIRST_ARGUMENT(ctx) ((ctx)->regs[0])
#define SYSCALL(name) "kprobe/__arm64_sys_" name
#endif

struct call {
	__u64 argument;
	__u32 pid;
#ifdef OTHER_LAYOUT
	__u64 time;
#else
	__u32 time;
#endif
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct call);
} calls SEC(".maps");

__u64 seen;
#ifdef OTHER_LAYOUT
__u64 more;
#endif

SEC(SYSCALL("getpid"))
int probe(struct pt_regs *ctx)
{
	struct call call = { .argument = FIRST_ARGUMENT(ctx), .pid = bpf_get_current_pid_tgid() >> 32 };

	bpf_map_update_elem(&calls, &call.pid, &call, BPF_ANY);
	seen++;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
