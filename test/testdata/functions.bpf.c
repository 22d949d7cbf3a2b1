// Programs, subprograms, externs and what else refers to functions.
// build: -mcpu=v3
// build-eb
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct bpf_map;

struct task_struct {
	int pid;
	struct task_struct *group_leader;
} __attribute__((preserve_access_index));

extern int LINUX_KERNEL_VERSION __kconfig;
extern bool CONFIG_BPF __kconfig;
extern char CONFIG_CC_VERSION_TEXT[30] __kconfig __weak;
extern enum libbpf_tristate CONFIG_IPV6 __kconfig __weak;
extern __u64 CONFIG_HZ __kconfig __weak;

extern const void init_task_untyped __ksym __weak;
extern const int bpf_prog_active __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 4);
} numbers SEC(".maps");

static __attribute__((noinline)) int twice(int x)
{
	return x * 2 + bpf_get_prandom_u32();
}

__attribute__((noinline)) int global_sum(int x)
{
	return twice(x) + 1;
}

__weak __attribute__((noinline)) int weak_sum(int x)
{
	return x - 1;
}

__attribute__((noinline)) __attribute__((visibility("hidden"))) int hidden_sum(int x)
{
	return x + LINUX_KERNEL_VERSION;
}

static long visit(struct bpf_map *map, const void *key, void *value, void *ctx)
{
	*(__u64 *)value += twice(*(const int *)key);
	return 0;
}

__attribute__((noinline)) int on_exception(__u64 cookie)
{
	return cookie;
}

SEC("kprobe/do_unlinkat")
int first(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	bpf_for_each_map_elem(&numbers, visit, 0, 0);
	return BPF_CORE_READ(task, group_leader, pid) + global_sum(1) + hidden_sum(2);
}

SEC("kprobe/do_unlinkat")
__attribute__((btf_decl_tag("exception_callback:on_exception")))
int second(void *ctx)
{
	bpf_rcu_read_lock();
	if (bpf_rcu_read_unlock)
		bpf_rcu_read_unlock();
	return weak_sum(3) + twice(4) + CONFIG_BPF + CONFIG_HZ + CONFIG_IPV6 + CONFIG_CC_VERSION_TEXT[0];
}

SEC("?raw_tp/sys_enter")
int optional(void *ctx)
{
	const int *active = bpf_per_cpu_ptr(&bpf_prog_active, 0);

	return (active ? *active : 0) + (&init_task_untyped != 0);
}

struct my_ops {
	int (*init)(int cpu);
	int (*update)(int cpu);
	unsigned int flags;
	char name[16];
};

SEC("struct_ops/update")
int ops_update(__u64 *ctx)
{
	return ctx[0];
}

SEC(".struct_ops.link")
struct my_ops ops = {
	.update = (void *)ops_update,
	.flags = 5,
	.name = "mine",
};

SEC("?.struct_ops")
struct my_ops spare = {
	.init = (void *)ops_update,
	.update = (void *)ops_update,
};

char _license[] SEC("license") = "GPL";
