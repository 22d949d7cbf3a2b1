// What the tests of uprobes and USDT probe: a program, or with -DLIBRARY the library it is linked with.
//   probed [TIMES]   does its work TIMES times (1) and ends
//   probed @ FILE N  runs library_work() where it lies in FILE, N bytes from its beginning
//   probed -         prints "ready", then works once and prints "done" for every line it reads
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// The notes that <sys/sdt.h> of SystemTap makes, which need not be installed: a nop in the code, and a description of
// it in .note.stapsdt. `args` names operands of the asm statement, each as SIZE@OPERAND.
#define NOTE(provider, name, semaphore, args, ...)                                                          \
	__asm__ volatile("990: nop\n"                                                                        \
			 ".pushsection .note.stapsdt,\"?\",\"note\"\n"                                       \
			 ".balign 4\n"                                                                       \
			 ".4byte 992f-991f, 994f-993f, 3\n"                                                  \
			 "991: .asciz \"stapsdt\"\n"                                                         \
			 "992: .balign 4\n"                                                                  \
			 "993: .8byte 990b\n"                                                                \
			 ".8byte _.stapsdt.base\n"                                                           \
			 ".8byte " semaphore "\n"                                                            \
			 ".asciz \"" provider "\"\n"                                                         \
			 ".asciz \"" name "\"\n"                                                             \
			 ".asciz \"" args "\"\n"                                                             \
			 "994: .balign 4\n"                                                                  \
			 ".popsection\n"                                                                     \
			 ".ifndef _.stapsdt.base\n"                                                          \
			 ".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n"             \
			 ".weak _.stapsdt.base\n"                                                            \
			 ".hidden _.stapsdt.base\n"                                                          \
			 "_.stapsdt.base: .space 1\n"                                                        \
			 ".size _.stapsdt.base, 1\n"                                                         \
			 ".popsection\n"                                                                     \
			 ".endif\n" ::__VA_ARGS__)

#define EXPORTED __attribute__((noinline, noclone, visibility("default")))

#ifdef LIBRARY

EXPORTED int library_work(int value)
{
	NOTE("library", "work", "0", "-4@%[value]", [value] "nor"(value));
	return value + 1;
}

#else

int library_work(int value);

// Above zero while somebody probes test:watched.
__attribute__((section(".probes"))) volatile unsigned short watched_semaphore;

EXPORTED int probed_add(int a, int b)
{
	__asm__ volatile("");
	return a + b;
}

EXPORTED int probed_multi_one(int a) { __asm__ volatile(""); return a + 1; }
EXPORTED int probed_multi_two(int a) { __asm__ volatile(""); return a + 2; }
EXPORTED int probed_multi_three(int a) { __asm__ volatile(""); return a + 3; }

int probed_data = 1;

static __attribute__((noinline)) int work(int round)
{
	volatile signed char bytes[8] = { 1, -2, 3, -4 };
	volatile long index = 3;
	long large = 0x123456789abcL;
	int sum = probed_add(round, 41);

	sum += probed_multi_one(1) + probed_multi_two(2) + probed_multi_three(3);
	sum += library_work(round + 7);
	// A register, memory, a constant, a negative byte in memory.
	NOTE("test", "args", "0", "-4@%[a] 8@%[b] -4@%[c] -1@%[d]",
	     [a] "r"(round + 100), [b] "m"(large), [c] "n"(-9), [d] "m"(bytes[1]));
#ifdef __x86_64__
	// An element of an array, by base, index and scale.
	NOTE("test", "element", "0", "-1@(%[base],%[index],1)", [base] "r"(bytes), [index] "r"(index));
#endif
	// Two places of one probe, whose argument is elsewhere each time.
	NOTE("test", "twice", "0", "-4@%[a]", [a] "n"(1));
	NOTE("test", "twice", "0", "-4@%[a]", [a] "r"(round + 2));
	if (watched_semaphore) {
		NOTE("test", "watched", "watched_semaphore", "-4@%[a]", [a] "r"(round));
		puts("watched");
	}
	return sum;
}

// Code that the linker had nothing to do with: a library in an archive, as Android's linker loads it.
static int work_in(const char *path, long offset)
{
	int file = open(path, O_RDONLY);
	char *all = mmap(NULL, lseek(file, 0, SEEK_END), PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);

	if (all == MAP_FAILED)
		return 1;
	return ((int (*)(int))(all + offset))(41) != 42;
}

int main(int argc, char **argv)
{
	int times = argc > 1 ? atoi(argv[1]) : 1;
	int sum = 0;

	if (argc > 3 && strcmp(argv[1], "@") == 0)
		return work_in(argv[2], atol(argv[3]));
	if (argc > 1 && strcmp(argv[1], "-") == 0) {
		puts("ready");
		fflush(stdout);
		for (int round = 0; getchar() != EOF; round++) {
			sum += work(round);
			puts("done");
			fflush(stdout);
		}
		return 0;
	}
	for (int round = 0; round < times; round++)
		sum += work(round);
	return sum == 0;
}

#endif
