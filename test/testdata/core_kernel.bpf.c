// build-eb
// What core_fields.bpf.c takes for the kernel: the same types, moved, widened and renamed.
#include <linux/types.h>

enum colour { RED = 1, GREEN = 20 };
enum wide { NARROW = 1, HUGE = 0x200000000ULL };

struct point {
	int z;
	int y;
	int x;
};

struct flags {
	__u64 before;
	__u32 low : 30;
	__u32 high : 5;
	int negative : 4;
} __attribute__((packed, aligned(8)));

struct thing {
	void *next;
	__u64 count;
	union {
		struct {
			long padding;
			int hidden;
		};
	};
	struct point path[8];
	struct point where;
	struct flags flags;
	char tail[];
};

typedef struct point point_t;

struct thing *thing;
point_t *point;
enum colour colour;
enum wide wide;
