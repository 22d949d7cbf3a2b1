// Counts the connections that processes of a cgroup begin, by command. The counts are pinned: whoever loads this object
// next, with the same folder for its pins, goes on with them.
// Skeleton: bpfskel gen agent_kern.o --u64 number > agent.skel.ts
#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>

struct command {
	char name[16];
};

struct connections {
	__u64 tcp;
	__u64 udp;
};

// Of more than 4096 commands, those that were not seen for the longest time give way.
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct command);
	__type(value, struct connections);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} commands SEC(".maps");

static __always_inline int count(struct bpf_sock_addr *ctx)
{
	struct connections none = {}, *row;
	struct command command = {};

	bpf_get_current_comm(command.name, sizeof(command.name));
	row = bpf_map_lookup_elem(&commands, &command);
	if (!row) {
		// Another CPU may have been first.
		bpf_map_update_elem(&commands, &command, &none, BPF_NOEXIST);
		row = bpf_map_lookup_elem(&commands, &command);
	}
	if (row)
		__sync_fetch_and_add(ctx->protocol == IPPROTO_TCP ? &row->tcp : &row->udp, 1);
	return 1; // let it connect
}

SEC("cgroup/connect4")
int count_v4(struct bpf_sock_addr *ctx)
{
	return count(ctx);
}

SEC("cgroup/connect6")
int count_v6(struct bpf_sock_addr *ctx)
{
	return count(ctx);
}

char _license[] SEC("license") = "GPL";
