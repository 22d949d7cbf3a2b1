#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

/* Everything that a variable can be, and a program that shows it works on the same memory. */

enum mode { MODE_COUNT = 1, MODE_DROP = 2 };

struct inner {
	__u16 port;
	char name[6];
	__u64 hits;
};

struct stats {
	__u64 hits;
	__s32 level;
	__u32 urgent : 3;
	__u32 delay : 13;
	struct inner best;
	struct inner top[2];
	union {
		__u32 word;
		__u8 octets[4];
	};
};

/* A mark without bytes inside, and text that goes on. */
struct note {
	__u8 length;
	__u32 mark[0];
	__u8 kind;
	char text[];
};

struct packed {
	__u8 tag;
	__u64 count;
} __attribute__((packed));

struct words {
	__u32 count;
	__u16 items[];
};

const volatile struct {
	enum mode mode;
	char prefix[8];
	__u32 ports[3];
	struct inner server;
} config = { .mode = MODE_COUNT, .prefix = "eth", .ports = { 80, 443, 8080 } };

struct stats stats;
struct packed packed;
__u64 counts[4];
__u16 table[2][3];
enum mode mode;
void *pointer;
bool enabled;
__s64 balance;
int weights[3] = { 1, 2, 3 };
struct note note = { .length = 5, .kind = 1, .text = "hello" };
struct words words = { .count = 2, .items = { 7, 9 } };

int samples_count SEC(".data.samples");
__u64 samples[1] SEC(".data.samples");
struct inner slots[1] SEC(".bss.slots");
const volatile __u32 allowed[1] SEC(".rodata.allowed") = { 1 };

SEC("xdp")
int work(struct xdp_md *ctx)
{
	stats.hits += counts[3] + weights[1];
	stats.level--;
	stats.delay = 77;
	stats.best.hits = config.server.hits;
	stats.best.port = config.ports[2];
	stats.best.name[0] = config.prefix[0];
	stats.top[1].hits = stats.word;
	packed.count++;
	table[1][2]++;
	balance -= 5;
	mode = config.mode;
	words.items[1]++;
	pointer = ctx;
	enabled = !enabled;
	samples[0] += samples_count;
	slots[0].hits++;
	return allowed[0];
}

/* Looks behind the first elements, which is possible only where the kernel knows that they are there. */
SEC("?xdp")
int far(struct xdp_md *ctx)
{
	volatile __u64 *sample = samples;
	volatile struct inner *slot = slots;
	const volatile __u32 *permit = allowed;

	sample[7] += samples_count + permit[3];
	slot[2].hits += sample[7];
	return 0;
}

/* Both halves are the same, in every value that is read whole. */
__u64 halves;

SEC("?raw_tp/sys_enter")
int bump(void *ctx)
{
	halves += 0x100000001;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
