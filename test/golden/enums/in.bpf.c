#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum verdict { PASS, DROP, REDIRECT = 7 };
enum level { LOW = -1, HIGH = 1 };
enum big { ZERO, HUGE = 0x100000000ULL };
typedef enum { ON, OFF } switch_t;

enum verdict verdict;
enum level levels[2];
enum big big;
switch_t position;
enum { LONELY } lonely;

char LICENSE[] SEC("license") = "GPL";
