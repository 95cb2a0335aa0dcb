// Vectors of a fixed number of floats, and loading them from the three value types.
//
// Everything lives in an unnamed namespace: each instruction set needs its own copy, and a shared
// one would let the linker give AVX-512 code to a processor without it.
#ifndef FOCUS_DETR_MSDA_LANES_H
#define FOCUS_DETR_MSDA_LANES_H

#include <cstdint>
#include <cstring>

#define MSDA_INLINE inline __attribute__((always_inline))
#define MSDA_APART __attribute__((noinline))  // inner loops whose pointers need all registers

namespace {

struct Half {
  uint16_t bits;
};

struct Brain {
  uint16_t bits;
};

#if defined(__AVX512F__)
constexpr int kWidest = 16;
#elif defined(__AVX__)
constexpr int kWidest = 8;
#else
constexpr int kWidest = 4;
#endif

template <int WIDTH>
struct Lanes {
  typedef float Floats __attribute__((vector_size(WIDTH * 4)));
  typedef uint32_t Words __attribute__((vector_size(WIDTH * 4)));
  typedef uint16_t Shorts __attribute__((vector_size(WIDTH * 2)));
};

template <typename To, typename From>
MSDA_INLINE To BitCast(From from) {
  static_assert(sizeof(To) == sizeof(From), "same size");
  To to;
  std::memcpy(&to, &from, sizeof(to));
  return to;
}

template <int WIDTH>
MSDA_INLINE typename Lanes<WIDTH>::Words LoadWords(const void *from) {
  typename Lanes<WIDTH>::Shorts shorts;
  std::memcpy(&shorts, from, sizeof(shorts));
  return __builtin_convertvector(shorts, typename Lanes<WIDTH>::Words);
}

template <int WIDTH>
MSDA_INLINE typename Lanes<WIDTH>::Floats Load(const float *from) {
  typename Lanes<WIDTH>::Floats floats;
  std::memcpy(&floats, from, sizeof(floats));
  return floats;
}

template <int WIDTH>
MSDA_INLINE typename Lanes<WIDTH>::Floats Load(const Brain *from) {
  return BitCast<typename Lanes<WIDTH>::Floats>(LoadWords<WIDTH>(from) << 16);
}

template <int WIDTH>
MSDA_INLINE typename Lanes<WIDTH>::Floats Load(const Half *from) {
  using Words = typename Lanes<WIDTH>::Words;
  using Floats = typename Lanes<WIDTH>::Floats;
  const Words half = LoadWords<WIDTH>(from);
  const Words sign = (half & 0x8000u) << 16;
  const Words magnitude = (half & 0x7fffu) << 13;
  // the exponent's bias differs by 112; the product also makes subnormal halves exact
  const Words finite = BitCast<Words>(BitCast<Floats>(magnitude) * 0x1p112f);
  const Words special = magnitude | 0x7f800000u;
  const Words is_special = reinterpret_cast<Words>(magnitude >= (0x7c00u << 13));
  return BitCast<Floats>(sign | (is_special & special) | (~is_special & finite));
}

template <int WIDTH>
MSDA_INLINE void Store(float *to, typename Lanes<WIDTH>::Floats floats) {
  std::memcpy(to, &floats, sizeof(floats));
}

MSDA_INLINE uint16_t RoundToBrain(float number) {
  const uint32_t bits = BitCast<uint32_t>(number);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

MSDA_INLINE uint16_t RoundToHalf(float number) {
  const uint32_t bits = BitCast<uint32_t>(number);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u);
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);  // 65520 and above
  if (magnitude < 0x38800000u) {  // subnormal: adding 0.5 rounds at the right bit
    const uint32_t shifted = BitCast<uint32_t>(BitCast<float>(magnitude) + 0.5f);
    return static_cast<uint16_t>(sign | (shifted - 0x3f000000u));
  }
  const uint32_t rounded = magnitude - (112u << 23) + 0xfffu + ((magnitude >> 13) & 1u);
  return static_cast<uint16_t>(sign | (rounded >> 13));
}

template <int WIDTH>
MSDA_INLINE void Store(Brain *to, typename Lanes<WIDTH>::Floats floats) {
  for (int lane = 0; lane < WIDTH; ++lane) to[lane].bits = RoundToBrain(floats[lane]);
}

template <int WIDTH>
MSDA_INLINE void Store(Half *to, typename Lanes<WIDTH>::Floats floats) {
  for (int lane = 0; lane < WIDTH; ++lane) to[lane].bits = RoundToHalf(floats[lane]);
}

// Adds halves to each other, always in the same order, until four lanes are left; one stays one.
template <int WIDTH>
struct Folded {
  static MSDA_INLINE Lanes<4>::Floats Of(typename Lanes<WIDTH>::Floats floats) {
    typename Lanes<WIDTH / 2>::Floats halves[2];
    std::memcpy(halves, &floats, sizeof(halves));
    return Folded<WIDTH / 2>::Of(halves[0] + halves[1]);
  }
};

template <>
struct Folded<4> {
  static MSDA_INLINE Lanes<4>::Floats Of(Lanes<4>::Floats floats) { return floats; }
};

template <>
struct Folded<1> {
  static MSDA_INLINE Lanes<4>::Floats Of(Lanes<1>::Floats floats) {
    return Lanes<4>::Floats{floats[0], 0.0f, 0.0f, 0.0f};
  }
};

// Calls body.template Run<CHANNELS>(first) for blocks that cover all channels of a head.
template <typename Body>
MSDA_INLINE void ForChannels(int64_t depth, Body &body) {
  int64_t channel = 0;
  for (; channel + 32 <= depth; channel += 32) body.template Run<32>(channel);
  if (channel + 16 <= depth) body.template Run<16>(channel), channel += 16;
  if (channel + 8 <= depth) body.template Run<8>(channel), channel += 8;
  if (channel + 4 <= depth) body.template Run<4>(channel), channel += 4;
  for (; channel < depth; ++channel) body.template Run<1>(channel);
}

}  // namespace

#endif
