// Counts in malloc and free: the program's own definitions win over the C library's in every shared library. Under a
// sanitizer, whose own must win, its hooks count.
#include "allocation_peak.h"

#include <malloc.h>

#include <atomic>
#include <cerrno>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SECTILE_SANITIZED 1
#endif

namespace {

std::atomic<std::ptrdiff_t> held{0}, peak{0};

void add(std::size_t bytes) {
  const std::ptrdiff_t now = held.fetch_add(static_cast<std::ptrdiff_t>(bytes)) + static_cast<std::ptrdiff_t>(bytes);
  std::ptrdiff_t most = peak.load();
  while (now > most && !peak.compare_exchange_weak(most, now)) {
  }
}
void remove(std::size_t bytes) { held -= static_cast<std::ptrdiff_t>(bytes); }

}  // namespace

#ifdef SECTILE_SANITIZED

extern "C" {
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void*, std::size_t),
                                              void (*on_free)(const volatile void*));
std::size_t __sanitizer_get_allocated_size(const volatile void* block);
}

[[maybe_unused]] static const int kInstalled =
    __sanitizer_install_malloc_and_free_hooks([](const volatile void*, std::size_t bytes) { add(bytes); },
                                              [](const volatile void* block) {
                                                if (block) remove(__sanitizer_get_allocated_size(block));
                                              });

#else

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);

static void* counted(void* block) {
  if (block) add(malloc_usable_size(block));
  return block;
}

void* malloc(std::size_t bytes) { return counted(__libc_malloc(bytes)); }
void* calloc(std::size_t count, std::size_t bytes) { return counted(__libc_calloc(count, bytes)); }
void* realloc(void* block, std::size_t bytes) {
  const std::size_t before = malloc_usable_size(block);
  void* moved = __libc_realloc(block, bytes);
  if (moved || bytes == 0) remove(before);
  return counted(moved);
}
void* memalign(std::size_t alignment, std::size_t bytes) { return counted(__libc_memalign(alignment, bytes)); }
void* aligned_alloc(std::size_t alignment, std::size_t bytes) { return memalign(alignment, bytes); }
int posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
  void* made = memalign(alignment, bytes);
  if (!made) return ENOMEM;
  *block = made;
  return 0;
}
void free(void* block) {
  if (block) remove(malloc_usable_size(block));
  __libc_free(block);
}
}

#endif

AllocationPeak::AllocationPeak() : before_(held) { peak = before_; }
std::size_t AllocationPeak::bytes() const { return static_cast<std::size_t>(peak - before_); }
