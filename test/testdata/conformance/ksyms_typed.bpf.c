// Variables of the kernel with their type: pointers that the verifier knows, per-CPU ones through a helper.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct rq {
	unsigned int nr_running;
} __attribute__((preserve_access_index));

extern const struct rq runqueues __ksym;
extern const int bpf_prog_active __ksym;
extern const int no_such_variable __ksym __weak;

SEC("raw_tp")
int variables(void *context)
{
	const int *active = bpf_per_cpu_ptr(&bpf_prog_active, 0);
	const int *here = bpf_this_cpu_ptr(&bpf_prog_active);
	const struct rq *queue = bpf_per_cpu_ptr(&runqueues, 1);
	int sum = *here + (queue ? queue->nr_running : 0);

	if (active)
		sum += *active;
	if (&no_such_variable)
		sum += 1;
	return sum;
}

char _license[] SEC("license") = "GPL";
