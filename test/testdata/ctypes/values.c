// Prints known values as the bytes that this machine's compiler makes of them: NAME SIZE HEX a line. What they are in
// TypeScript is in values.mjs.
#include <stdio.h>
#include "types.h"

#define WORD(n) ((void *)0xf000000000000000ul + (n))
#define WIDE(high, low) (((unsigned __int128)(high) << 64) | (low))
#define SHOW(type, ...) \
	do { \
		static const type value = __VA_ARGS__; \
		print(#type, sizeof(type), &value, sizeof(value)); \
	} while (0)
// A flexible array's contents lie behind the struct.
#define SHOW_LONGER(type, length, ...) \
	do { \
		static const type value = __VA_ARGS__; \
		print(#type, sizeof(type), &value, length); \
	} while (0)

static void print(const char *type, unsigned long size, const void *value, unsigned long length)
{
	const unsigned char *bytes = value;
	printf("%s|%lu|", type, size);
	for (unsigned long i = 0; i < length; i++)
		printf("%02x", bytes[i]);
	printf("\n");
}

int main(void)
{
	SHOW(struct scalars, {
		.flag = 1, .letter = 'x', .s8 = -3, .u8 = 0xfe, .s16 = -300, .u16 = 0xfedc, .s32 = -70000, .u32 = 0xfedcba98,
		.s64 = -0x123456789abcdef, .u64 = 0xfedcba9876543210, .s128 = -1 - (__int128)WIDE(1, 2), .u128 = WIDE(0xfedcba9876543210, 5),
		.pointer = WORD(1), .forward = WORD(2), .function = WORD(3), .single = -1.5f, .twice = 0.1,
	});
	SHOW(struct bits, {
		.a = 5, .b = 0x1abcdef1, .c = -64, .flag = 1, .color = BLUE, .d = -16384, .wide = 0xfedcba9876, .rest = 0x123456,
		.low = -0x100000000, .tiny = -1, .middle = 0x555, .whole = 0xdeadbeef,
	});
	SHOW(struct packed_bits, {
		.before = 0xaa, .a = 0xabc, .b = -0x8000000000, .c = 0x1234567812345678, .d = 0x55, .whole = 0xfedcba9876543210,
	});
	SHOW(union shared_bits, { .low = 21, .high = -0x2000000 });
	SHOW(struct packed, { .a = 1, .b = 0x02030405, .c = 0x0607080910111213, .inner = { 0x1415, 0x16171819 }, .f = 0x20 });
	SHOW(struct half_packed, { 1, 0x02030405, 0x0607080910111213 });
	SHOW(struct over_aligned, { 1, 2, 3 });
	SHOW(struct in_arrays, {
		.odd = { { .a = 1, .f = 2 }, { .a = 3, .b = 4, .f = 5 } },
		.even = { { 1, 2, 3 }, { 4, 5, 6 } },
		.grid = { { 1, 2, 3 }, { 4, 5, 6 } },
		.points = { { { 1, 2 }, { 3, 4 } }, { { 5, 6 }, { 7, 8 } } },
		.pointers = { WORD(1), WORD(2) },
		.functions = { WORD(3), WORD(4) },
		.flags = { 1, 0, 1 },
		.colors = { GREEN, BLUE },
		.last = 9,
	});
	SHOW(union value, { .bytes = "abcdefghijkl" });
	SHOW(struct anonymous, { .version = 4, .source = 80, .target = 8080, .v6 = { 10, 0, 0, 1, [15] = 16 }, .first = 7, .second = 8 });
	SHOW(struct node, { .next = WORD(1), .list = { WORD(2), WORD(3) }, .value = { .number = 0x4142 } });
	SHOW(struct enums, { LOW, SAME, HUGE, BOTTOM, MOST, LEAST, ONLY });
	SHOW(struct typedefs, { 1, { 2 }, { { 3 }, { 4 } }, "five", { "six", "seven" }, WORD(8) });
	SHOW(struct texts, {
		.comm = "bash\0old name", .full = { 'f', 'u', 'l', 'l' }, .lines = { "one", "\xff\xc3\xa9" }, .bytes = { 1, 2, 255, 0 },
		.small = { -1, 1 }, .one = 'A',
	});
	SHOW(struct names, { { 1 }, 2, { 3 }, { 4, 5, 6, 7, 8, 9, 10, 11, 12 }, { 13 } });
	SHOW(struct same_typedef, { { 0x0102 } });
	SHOW_LONGER(struct counted, sizeof(struct counted) + 3 * 4, { 3, { 1, 0x02030405, 0xffffffff } });
	SHOW_LONGER(struct line, sizeof(struct line) + 6, { 9, "hello" });
	// No initialiser reaches the contents of one within.
	static union {
		struct wrapped value;
		__u8 room[sizeof(struct wrapped) + 2 * 4];
	} wrapped;
	wrapped.value.kind = 1;
	wrapped.value.counted.length = 2;
	wrapped.value.counted.items[0] = 3;
	wrapped.value.counted.items[1] = 4;
	print("struct wrapped", sizeof(struct wrapped), &wrapped, sizeof(wrapped.room));
	SHOW_LONGER(struct points, sizeof(struct points) + 2 * 4, { 2, { { -1, 2 }, { 3, 4 } } });
	return 0;
}
