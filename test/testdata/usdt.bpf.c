// Programs for the USDT probes of probed.c, which tell what they were given.
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <stdbool.h>
#include <bpf/usdt.bpf.h>

struct seen {
	__u64 runs;
	__u64 args[4];
	__u64 cookie;
	__u32 count;
};

struct seen args_seen, twice_seen, watched_seen, work_seen, element_seen;

static __always_inline void see(struct seen *seen, struct pt_regs *ctx)
{
	seen->cookie = bpf_usdt_cookie(ctx);
	seen->count = bpf_usdt_arg_cnt(ctx);
	__sync_fetch_and_add(&seen->runs, 1);
}

SEC("usdt/build/probed/probed:test:args")
int BPF_USDT(on_args, int a, long b, int c, signed char d)
{
	args_seen.args[0] = a;
	args_seen.args[1] = b;
	args_seen.args[2] = c;
	args_seen.args[3] = d;
	see(&args_seen, ctx);
	return 0;
}

// Arguments of both places: 1 from the first, what is greater from the second.
SEC("usdt")
int BPF_USDT(on_twice, int a)
{
	twice_seen.args[a == 1 ? 0 : 1] = a;
	see(&twice_seen, ctx);
	return 0;
}

SEC("usdt")
int BPF_USDT(on_watched, int a)
{
	watched_seen.args[0] = a;
	see(&watched_seen, ctx);
	return 0;
}

SEC("usdt")
int BPF_USDT(on_work, int value)
{
	work_seen.args[0] = value;
	see(&work_seen, ctx);
	return 0;
}

// An element of an array: what bpf/usdt.bpf.h reads since libbpf 1.7, which this file is not compiled with.
SEC("usdt")
int on_element(struct pt_regs *ctx)
{
	int id = __bpf_usdt_spec_id(ctx);
	struct __bpf_usdt_spec *spec = bpf_map_lookup_elem(&__bpf_usdt_specs, &id);
	__u64 base = 0, index = 0;
	signed char value = 0;
	__u32 word;

	if (!spec)
		return 0;
	word = (__u32)spec->args[0].arg_type;
	bpf_probe_read_kernel(&base, sizeof(base), (void *)ctx + spec->args[0].reg_off);
	bpf_probe_read_kernel(&index, sizeof(index), (void *)ctx + ((word >> 8) & 0xfff));
	bpf_probe_read_user(&value, sizeof(value), (void *)(base + (index << (word >> 20 & 0xf)) + spec->args[0].val_off));
	element_seen.args[0] = word & 0xff;
	element_seen.args[1] = value;
	see(&element_seen, ctx);
	return 0;
}

char _license[] SEC("license") = "GPL";
