// Programs verified against a type of the kernel: functions, typed tracepoints, iterators, LSM hooks.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tp_btf/sched_process_exit")
int typed_tracepoint(__u64 *context)
{
	return context[0] != 0;
}

SEC("fentry/do_unlinkat")
int entry(__u64 *context)
{
	return 0;
}

SEC("fexit/do_unlinkat")
int exit_(__u64 *context)
{
	return context[2] == 0;
}

SEC("fexit.s/__x64_sys_getpgid")
int sleepable(__u64 *context)
{
	return 0;
}

SEC("fmod_ret/bpf_modify_return_test")
int modify(__u64 *context)
{
	return 0;
}

SEC("lsm/file_open")
int hook(__u64 *context)
{
	return 0;
}

SEC("lsm_cgroup/socket_bind")
int cgroup_hook(__u64 *context)
{
	return 1;
}

SEC("iter/task")
int iterator(__u64 *context)
{
	return 0;
}

char _license[] SEC("license") = "GPL";
