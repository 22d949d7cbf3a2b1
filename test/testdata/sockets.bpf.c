// What programs can do to the sockets of processes: one of each kind, for the tests of what an attachment changes.
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define CUSTOM_LEVEL 0x1234

// In host order: whoever means `asked` gets `given`.
const volatile struct {
	__u16 asked, given;
} ports;

struct {
	// Connections that were made, and those that were taken.
	__u32 active, passive;
	// Which socket of `group` is to have the next datagram.
	__u32 chosen;
	__u8 custom_option;
} state;

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} connections SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} group SEC(".maps");

static __always_inline int to_given(struct bpf_sock_addr *ctx)
{
	if (ctx->user_port == bpf_htons(ports.asked))
		ctx->user_port = bpf_htons(ports.given);
	return 1;
}

static __always_inline int to_asked(struct bpf_sock_addr *ctx)
{
	if (ctx->user_port == bpf_htons(ports.given))
		ctx->user_port = bpf_htons(ports.asked);
	return 1;
}

SEC("cgroup/bind4")
int bind4(struct bpf_sock_addr *ctx)
{
	return to_given(ctx);
}

SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr *ctx)
{
	return to_given(ctx);
}

SEC("cgroup/getpeername4")
int getpeername4(struct bpf_sock_addr *ctx)
{
	return to_asked(ctx);
}

SEC("cgroup/getsockname4")
int getsockname4(struct bpf_sock_addr *ctx)
{
	return to_asked(ctx);
}

SEC("cgroup/sendmsg4")
int sendmsg4(struct bpf_sock_addr *ctx)
{
	return to_given(ctx);
}

SEC("cgroup/recvmsg4")
int recvmsg4(struct bpf_sock_addr *ctx)
{
	return to_asked(ctx);
}

SEC("cgroup/sysctl")
int read_only(struct bpf_sysctl *ctx)
{
	return !ctx->write;
}

SEC("cgroup/dev")
int no_zero(struct bpf_cgroup_dev_ctx *ctx)
{
	return !(ctx->major == 1 && ctx->minor == 5);
}

SEC("cgroup/setsockopt")
int set_custom(struct bpf_sockopt *ctx)
{
	__u8 *value = ctx->optval;

	if (ctx->level != CUSTOM_LEVEL)
		return 1;
	if (value + 1 > (__u8 *)ctx->optval_end)
		return 0;
	state.custom_option = *value;
	ctx->optlen = -1; // not for the kernel
	return 1;
}

SEC("cgroup/getsockopt")
int get_custom(struct bpf_sockopt *ctx)
{
	__u8 *value = ctx->optval;

	if (ctx->level != CUSTOM_LEVEL)
		return 1;
	if (value + 1 > (__u8 *)ctx->optval_end)
		return 0;
	*value = state.custom_option;
	ctx->retval = 0;
	barrier(); // the kernel takes one field at a time
	ctx->optlen = 1;
	return 1;
}

SEC("sockops")
int established(struct bpf_sock_ops *ctx)
{
	__u32 key = ctx->local_port;

	if (ctx->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB) {
		__sync_fetch_and_add(&state.active, 1);
		bpf_sock_hash_update(ctx, &connections, &key, BPF_ANY);
	} else if (ctx->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB) {
		__sync_fetch_and_add(&state.passive, 1);
	}
	return 1;
}

// `D...` goes nowhere, `R...` to the one who receives on the first of `sockets`, the rest where it was sent.
SEC("sk_msg")
int by_letter(struct sk_msg_md *msg)
{
	char *data = msg->data;

	if (data + 1 > (char *)msg->data_end)
		return SK_PASS;
	if (*data == 'D')
		return SK_DROP;
	if (*data == 'R')
		return bpf_msg_redirect_map(msg, &sockets, 0, BPF_F_INGRESS);
	return SK_PASS;
}

SEC("sk_skb/verdict")
int echo(struct __sk_buff *skb)
{
	return bpf_sk_redirect_map(skb, &sockets, 0, 0);
}

SEC("sk_lookup")
int steer(struct bpf_sk_lookup *ctx)
{
	__u32 key = 0;
	struct bpf_sock *sk;
	long err;

	if (ctx->local_port != ports.asked)
		return SK_PASS;
	sk = bpf_map_lookup_elem(&sockets, &key);
	if (!sk)
		return SK_PASS;
	err = bpf_sk_assign(ctx, sk, 0);
	bpf_sk_release(sk);
	return err ? SK_DROP : SK_PASS;
}

SEC("sk_reuseport")
int choose(struct sk_reuseport_md *ctx)
{
	__u32 key = state.chosen;

	bpf_sk_select_reuseport(ctx, &group, &key, 0);
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
