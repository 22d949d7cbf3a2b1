// Without a licence section there is no licence: helpers for GPL programs only are refused.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("raw_tp")
int needs_none(void *context)
{
	return bpf_get_smp_processor_id();
}

SEC("raw_tp")
int needs_gpl(void *context)
{
	char byte;

	return bpf_probe_read_kernel(&byte, 1, context);
}
