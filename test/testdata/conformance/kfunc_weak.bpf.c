// A weak function that no kernel has, in code that must be dead: its call is poisoned.
// libbpf: 1.3        older ones leave an instruction in place of the call that has another tag
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void no_such_function(void) __ksym __weak;
extern void bpf_rcu_read_lock(void) __ksym __weak;
extern void bpf_rcu_read_unlock(void) __ksym __weak;

SEC("raw_tp")
int asks_first(void *context)
{
	if (no_such_function)
		no_such_function();
	return 0;
}

SEC("raw_tp")
int asks_for_two(void *context)
{
	if (bpf_rcu_read_lock && bpf_rcu_read_unlock) {
		bpf_rcu_read_lock();
		bpf_rcu_read_unlock();
	}
	return 0;
}

SEC("raw_tp")
int does_not_ask(void *context)
{
	no_such_function();
	return 0;
}

char _license[] SEC("license") = "GPL";
