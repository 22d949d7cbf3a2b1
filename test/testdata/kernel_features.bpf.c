// What a program may ask of its kernel by name: settings, symbols, functions, congestion control, an arena.
// build: -mcpu=v3
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define __arena __attribute__((address_space(1)))

extern unsigned int LINUX_KERNEL_VERSION __kconfig;
extern bool CONFIG_BPF_SYSCALL __kconfig;
extern int CONFIG_HZ __kconfig __weak;
extern bool CONFIG_NO_SUCH_THING __kconfig __weak;

extern const void vfs_read __ksym __weak;
extern const void no_such_symbol __ksym __weak;
struct rq {
	unsigned int nr_running;
};
extern const struct rq runqueues __ksym __weak;
extern void bpf_rcu_read_lock(void) __ksym __weak;
extern void bpf_rcu_read_unlock___mine(void) __ksym __weak;
extern void no_such_kfunc(void) __ksym __weak;

struct {
	__uint(type, 33 /* BPF_MAP_TYPE_ARENA */);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 10);
} arena SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 1);
} shared SEC(".maps");

__u64 __arena total SEC(".addr_space.1") = 40;

unsigned int version;
int hz;
int found;

SEC("syscall")
int ask(void *ctx)
{
	__u32 key = 0;
	__u64 *count = bpf_map_lookup_elem(&shared, &key);

	if (count)
		__sync_fetch_and_add(count, 1);
	if (bpf_rcu_read_lock && bpf_rcu_read_unlock___mine) {
		bpf_rcu_read_lock();
		bpf_rcu_read_unlock___mine();
	}
	if (no_such_kfunc)
		no_such_kfunc();
	version = LINUX_KERNEL_VERSION;
	hz = CONFIG_HZ;
	found = CONFIG_BPF_SYSCALL | CONFIG_NO_SUCH_THING << 1 | (&vfs_read != 0) << 2 |
		(&no_such_symbol != 0) << 3;
	return 0;
}

// Needs a kernel that tells the addresses of its data: CONFIG_KALLSYMS_ALL.
SEC("?syscall")
int per_cpu(void *ctx)
{
	found = bpf_per_cpu_ptr(&runqueues, 0) != 0;
	return 0;
}

SEC("syscall")
int add(void *ctx)
{
	total += 2;
	return (long)&arena != 0;
}

struct sock;

struct tcp_congestion_ops {
	__u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	__u32 (*undo_cwnd)(struct sock *sk);
	char name[16];
};

SEC("struct_ops/ssthresh")
__u32 BPF_PROG(ssthresh, struct sock *sk)
{
	return 2;
}

SEC("struct_ops/cong_avoid")
void BPF_PROG(cong_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
}

SEC("struct_ops/undo_cwnd")
__u32 BPF_PROG(undo_cwnd, struct sock *sk)
{
	return 10;
}

SEC(".struct_ops")
struct tcp_congestion_ops by_value = {
	.ssthresh = (void *)ssthresh,
	.cong_avoid = (void *)cong_avoid,
	.undo_cwnd = (void *)undo_cwnd,
	.name = "bpfskel_value",
};

SEC(".struct_ops.link")
struct tcp_congestion_ops by_link = {
	.ssthresh = (void *)ssthresh,
	.cong_avoid = (void *)cong_avoid,
	.undo_cwnd = (void *)undo_cwnd,
	.name = "bpfskel_link",
};

// Takes the place of the one above: a congestion control keeps its name.
SEC(".struct_ops.link")
struct tcp_congestion_ops in_its_place = {
	.ssthresh = (void *)ssthresh,
	.cong_avoid = (void *)cong_avoid,
	.undo_cwnd = (void *)undo_cwnd,
	.name = "bpfskel_link",
};

char _license[] SEC("license") = "GPL";
