// build-eb
// Every kind of CO-RE relocation, against types that core_kernel.bpf.c has in another shape.
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

enum colour { RED = 1, GREEN = 2, BLUE = 3 };
enum wide { NARROW = 1, HUGE = 0x100000000ULL };

struct point {
	int x;
	int y;
};

struct flags {
	__u32 low : 3;
	__u32 high : 5;
	int negative : 4;
};

struct thing {
	__u32 count;
	struct point where;
	struct point path[4];
	void *next;
	struct {
		int hidden;
	};
	struct flags flags;
	char tail[];
};

struct thing___old {
	__u32 number;
};

struct gone {
	int x;
};

typedef struct point point_t;

#pragma clang attribute pop

long out[64];

#define KEEP(slot, value) (*(volatile long *)&out[slot] = (long)(value))

SEC("raw_tp/fields")
int fields(struct thing *t)
{
	KEEP(0, t->count);
	KEEP(1, t->where.y);
	KEEP(2, t->path[2].y);
	KEEP(3, t->next);
	KEEP(4, t->hidden);
	KEEP(5, __builtin_preserve_field_info(t->tail[3], BPF_FIELD_BYTE_OFFSET));
	KEEP(6, bpf_core_field_size(t->path));
	KEEP(7, bpf_core_field_exists(struct thing___old, number));
	if (bpf_core_field_exists(struct thing___old, number))
		KEEP(8, ((struct thing___old *)t)->number);
	return 0;
}

SEC("raw_tp/bits")
int bits(struct thing *t)
{
	KEEP(0, BPF_CORE_READ_BITFIELD(&t->flags, high));
	KEEP(1, BPF_CORE_READ_BITFIELD(&t->flags, negative));
	return 0;
}

SEC("raw_tp/types")
int types(void *ctx)
{
	KEEP(0, bpf_core_type_exists(struct thing));
	KEEP(1, bpf_core_type_exists(struct gone));
	KEEP(2, bpf_core_type_size(struct thing));
	KEEP(3, bpf_core_type_size(struct gone));
	KEEP(4, bpf_core_type_matches(struct point));
	KEEP(5, bpf_core_type_matches(struct thing));
	KEEP(6, bpf_core_type_id_kernel(point_t));
	KEEP(7, bpf_core_type_id_local(point_t));
	return 0;
}

SEC("raw_tp/enums")
int enums(void *ctx)
{
	KEEP(0, bpf_core_enum_value_exists(enum colour, GREEN));
	KEEP(1, bpf_core_enum_value(enum colour, GREEN));
	KEEP(2, bpf_core_enum_value_exists(enum colour, BLUE));
	KEEP(3, bpf_core_enum_value(enum wide, HUGE));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
