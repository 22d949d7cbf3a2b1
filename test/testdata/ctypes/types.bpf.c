// A variable of each type puts it into BTF, and into skeletons.
#include "types.h"

#define KNOWN(type) type KNOWN_(__COUNTER__)
#define KNOWN_(n) KNOWN__(n)
#define KNOWN__(n) known_##n

KNOWN(struct scalars);
KNOWN(struct bits);
KNOWN(struct packed_bits);
KNOWN(union shared_bits);
KNOWN(struct packed);
KNOWN(struct half_packed);
KNOWN(struct over_aligned);
KNOWN(struct in_arrays);
KNOWN(union value);
KNOWN(struct anonymous);
KNOWN(struct node);
KNOWN(struct enums);
KNOWN(struct typedefs);
KNOWN(struct texts);
KNOWN(struct names);
KNOWN(struct same_typedef);
KNOWN(struct counted);
KNOWN(struct line);
KNOWN(struct wrapped);
KNOWN(struct points);

char LICENSE[] __attribute__((section("license"))) = "GPL";
