// A program every verifier refuses: it reads packet bytes it never checked for.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int reads_past_end(struct xdp_md *ctx)
{
	unsigned char *data = (void *)(long)ctx->data;

	return data[13] ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
