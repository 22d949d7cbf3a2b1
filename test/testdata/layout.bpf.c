// Every kind of type, in odd shapes.
// build: -mcpu=v3
// build-eb
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define __tag(x) __attribute__((btf_type_tag(x)))

enum small { NONE, ONE = 1, LAST = 0xfffffff0 };
enum negative { MINUS = -5, PLUS = 5 };
enum wide { BIG = 0x8000000000000000ull, LITTLE = 1 };
enum deep { DOWN = -0x7fffffffffffffffll - 1, UP = 1 };

struct opaque;
typedef int (*callback)(int x, struct opaque *y);

struct bits {
	unsigned int a : 3;
	unsigned int b : 13;
	int c : 16;
	unsigned long long d : 40;
	_Bool e : 1;
};

struct packed {
	char a;
	long long b;
	short c;
} __attribute__((packed));

struct loose_tail {
	int a;
	char b;
} __attribute__((aligned(16)));

union either {
	int number;
	char bytes[12];
};

struct everything {
	struct bits bits;
	struct packed packed;
	struct loose_tail loose;
	union either either;
	union {
		int left;
		struct {
			short right, wrong;
		};
	};
	const volatile int *restrict qualified;
	int __tag("user") *tagged;
	callback call;
	struct opaque *opaque;
	enum small small;
	enum negative negative;
	enum wide wide;
	enum deep deep;
	float f;
	double g;
	__int128 huge;
	int matrix[2][3];
	_Bool flag;
	char text[7];
	struct everything *next;
	int flexible[];
} __attribute__((btf_decl_tag("whole")));

struct everything *pointer;
struct bits bits = { .a = 1 };
struct packed packed;
volatile const struct loose_tail loose = { .a = 1 };
float ratio = 0.5;
struct {
	int size;
	int items[];
} flexible SEC(".data.flexible") = { .size = 2, .items = { 3, 4 } };

SEC("raw_tp")
int keep(void *ctx)
{
	bpf_trace_printk("literal", 8);
	return pointer != 0 && bits.b && packed.c && loose.b && flexible.items[1];
}

char _license[] SEC("license") = "GPL";
