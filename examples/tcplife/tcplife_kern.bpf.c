// Reports every TCP connection when it ends: who had it, between which addresses, how much went over it, how long.
// Skeleton: bpfskel gen tcplife_kern.o --record ended=connection > tcplife.skel.ts
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define IPPROTO_TCP 6

// States of a connection (net/tcp_states.h), as far as they matter here.
enum {
	TCP_SYN_SENT = 2,
	TCP_FIN_WAIT1 = 4,
	TCP_CLOSE = 7,
	TCP_LAST_ACK = 9,
};

// What is read of the kernel's structs; CO-RE finds where it lies in the running kernel.
struct trace_event_raw_inet_sock_set_state {
	const void *skaddr;
	int newstate;
	__u16 sport;
	__u16 dport;
	__u16 protocol;
	__u8 saddr_v6[16];
	__u8 daddr_v6[16];
} __attribute__((preserve_access_index));

struct sock_common {
	unsigned long skc_flags;
} __attribute__((preserve_access_index));

struct sock {
	struct sock_common __sk_common;
} __attribute__((preserve_access_index));

struct tcp_sock {
	__u64 bytes_sent;
	__u64 bytes_retrans;
	__u64 bytes_received;
} __attribute__((preserve_access_index));

enum sock_flags {
	SOCK_DONE = 1, // the other end has said that nothing more comes
};

struct connection {
	__u64 sent; // bytes
	__u64 received;
	__u64 lifetime; // nanoseconds
	__u32 pid;
	__u16 local_port;
	__u16 remote_port;
	__u8 local[16]; // IPv6; IPv4 is ::ffff:a.b.c.d
	__u8 remote[16];
	char comm[16];
};

struct life {
	__u64 begin; // nanoseconds
	__u32 pid;
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, const void *); // the kernel's socket
	__type(value, struct life);
} lives SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} ended SEC(".maps");

// Set before load: report only connections of this process. 0: report all.
const volatile __u32 target_pid = 0;
// Connections that found the ring buffer or the table full.
__u64 lost;

static void remember(const void *socket, int state)
{
	struct life fresh = {}, *life = bpf_map_lookup_elem(&lives, &socket);

	if (!life) {
		if (bpf_map_update_elem(&lives, &socket, &fresh, BPF_ANY)) {
			__sync_fetch_and_add(&lost, 1);
			return;
		}
		life = bpf_map_lookup_elem(&lives, &socket);
		if (!life)
			return;
	}
	if (state < TCP_FIN_WAIT1)
		life->begin = bpf_ktime_get_ns();
	// Only these changes are made by the process itself, when it connects or closes.
	if (state == TCP_SYN_SENT || state == TCP_FIN_WAIT1 || state == TCP_LAST_ACK) {
		life->pid = bpf_get_current_pid_tgid() >> 32;
		bpf_get_current_comm(life->comm, sizeof(life->comm));
	}
}

// Not inlined, so that BTF has the type of the record.
static __noinline int describe(struct connection *connection, struct trace_event_raw_inet_sock_set_state *ctx,
			       const struct life *life)
{
	const struct tcp_sock *socket = ctx->skaddr;

	unsigned long flags = BPF_CORE_READ((const struct sock *)ctx->skaddr, __sk_common.skc_flags);

	connection->sent = BPF_CORE_READ(socket, bytes_sent) - BPF_CORE_READ(socket, bytes_retrans);
	// The kernel counts the end as one byte more.
	connection->received = BPF_CORE_READ(socket, bytes_received) -
			       (flags >> bpf_core_enum_value(enum sock_flags, SOCK_DONE) & 1);
	connection->lifetime = bpf_ktime_get_ns() - life->begin;
	connection->pid = life->pid;
	connection->local_port = ctx->sport;
	connection->remote_port = ctx->dport;
	bpf_core_read(connection->local, sizeof(connection->local), &ctx->saddr_v6);
	bpf_core_read(connection->remote, sizeof(connection->remote), &ctx->daddr_v6);
	__builtin_memcpy(connection->comm, life->comm, sizeof(connection->comm));
	return 0;
}

static void report(struct trace_event_raw_inet_sock_set_state *ctx, const struct life *life)
{
	struct connection *connection = bpf_ringbuf_reserve(&ended, sizeof(*connection), 0);

	if (!connection) {
		__sync_fetch_and_add(&lost, 1);
		return;
	}
	describe(connection, ctx, life);
	bpf_ringbuf_submit(connection, 0);
}

SEC("tracepoint/sock/inet_sock_set_state")
int set_state(struct trace_event_raw_inet_sock_set_state *ctx)
{
	const void *socket = ctx->skaddr;
	struct life *life;

	if (ctx->protocol != IPPROTO_TCP)
		return 0;
	if (ctx->newstate != TCP_CLOSE) {
		remember(socket, ctx->newstate);
		return 0;
	}
	life = bpf_map_lookup_elem(&lives, &socket);
	if (!life)
		return 0;
	// Connections that were there before this program have no beginning.
	if (life->begin && (!target_pid || target_pid == life->pid))
		report(ctx, life);
	bpf_map_delete_elem(&lives, &socket);
	return 0;
}

char _license[] SEC("license") = "GPL";
