// Every shape that a C type can have, compiled for BPF (types.bpf.c, whose BTF the codecs come from) and for this machine
// (values.c, which prints the bytes of known values).
#include <linux/types.h>

struct opaque;
typedef struct opaque opaque_t;

struct scalars {
	_Bool flag;
	char letter;
	signed char s8;
	__u8 u8;
	__s16 s16;
	__u16 u16;
	__s32 s32;
	__u32 u32;
	long s64;
	unsigned long u64;
	__int128 s128;
	unsigned __int128 u128;
	void *pointer;
	struct opaque *forward;
	int (*function)(opaque_t *ctx, char *name);
	float single;
	double twice;
};

// Across bytes and words, signed, of bool and enums, with holes that have no name.
enum color { RED, GREEN = 5, BLUE = 6 };
struct bits {
	__u32 a : 3;
	__u32 b : 29;
	__s32 c : 7;
	_Bool flag : 1;
	enum color color : 4;
	__u32 : 3;
	__s32 d : 15;
	__u64 wide : 40;
	__u64 rest : 24;
	__u32 : 0;
	__s64 low : 33;
	__s8 tiny : 1;
	__u16 middle : 11;
	__u32 whole : 32;
};

struct packed_bits {
	__u8 before;
	__u32 a : 12;
	__s64 b : 40;
	__u64 c : 61;
	__u32 d : 7;
	__u64 whole : 64;
} __attribute__((packed));

union shared_bits {
	struct {
		__u32 low : 5;
		__s32 high : 27;
	};
	__s32 sign : 9;
	__u32 word;
};

struct packed {
	__u8 a;
	__u32 b;
	__u64 c;
	struct {
		__u16 d;
		__u32 e;
	} inner;
	__u8 f;
} __attribute__((packed));

struct half_packed {
	__u8 a;
	__u32 b __attribute__((packed));
	__u64 c __attribute__((packed, aligned(2)));
};

struct over_aligned {
	__u8 a;
	__u32 b __attribute__((aligned(32)));
	__u8 c;
} __attribute__((aligned(64)));

struct in_arrays {
	struct packed odd[2];
	struct over_aligned even[2];
	__u16 grid[2][3];
	struct {
		__u8 x;
		__u16 y;
	} points[2][2];
	void *pointers[2];
	int (*functions[2])(void);
	_Bool flags[3];
	__u64 none[0];
	struct {
	} empty;
	enum color colors[2];
	__u8 last;
};

union value {
	__u64 number;
	char text[8];
	struct {
		__u32 low;
		__u32 high;
	} halves;
	double real;
	__u8 bytes[12];
};

struct anonymous {
	__u8 version;
	struct {
		__u16 source;
		struct {
			__u16 target;
			union {
				__u32 v4;
				__u8 v6[16];
			};
		};
	};
	union {
		struct {
			__u8 first;
			__u32 second;
		};
		__u64 both;
	};
};

struct node {
	struct node *next;
	struct list {
		struct node *head;
		struct list *others;
	} list;
	union value value;
};

enum level { LOW = -2147483647 - 1, BELOW = -1, SAME = -1, HIGH = 1, ALSO_HIGH = 1 };
enum big { ZERO, HUGE = 0x8000000000000000ULL };
enum deep { BOTTOM = -0x7fffffffffffffffLL - 1, TOP = 0x7fffffffffffffffLL };
enum __attribute__((packed)) small { LITTLE, MOST = 255 };
enum __attribute__((packed)) minus { LEAST = -128, UP };

struct enums {
	enum level level;
	enum level same;
	enum big big;
	enum deep deep;
	enum small small;
	enum minus minus;
	enum { ONLY = 7 } nameless;
};

typedef __u32 plain_t;
typedef plain_t chained_t;
typedef const volatile chained_t qualified_t;
typedef struct {
	chained_t id;
} task_t;
typedef task_t tasks_t[2];
typedef char name_t[8];

struct typedefs {
	qualified_t number;
	const task_t task;
	volatile tasks_t tasks;
	name_t name;
	const name_t names[2];
	opaque_t *opaque;
};

struct texts {
	char comm[16];
	char full[4];
	char lines[2][6];
	unsigned char bytes[4];
	signed char small[2];
	char one;
};

// Names: of types and of members.
struct same {
	__u8 first;
};
typedef struct {
	__u16 second;
} same;
struct Same {
	__u32 third;
};
struct codec {
	__u8 class;
	__u8 constructor;
	__u8 __proto__;
	__u8 function;
	__u8 _;
	__u8 v, o, x, end;
};
struct __ {
	__u8 a;
};

struct names {
	struct same same;
	__u8 gap;
	struct Same Same;
	struct codec codec;
	struct __ __;
};

struct same_typedef {
	same value;
};

struct counted {
	__u16 length;
	__u32 items[];
};

struct line {
	__u64 time;
	char text[];
};

struct wrapped {
	__u8 kind;
	struct counted counted;
};

struct points {
	__u8 count;
	struct {
		__s16 x;
		__u8 y;
	} at[];
};
