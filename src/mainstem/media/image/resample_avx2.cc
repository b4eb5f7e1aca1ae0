#include "mainstem/media/image/resample.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <cstring>
#endif

namespace mainstem {

#if defined(__x86_64__)

// A sum of weight · sample is computed as (Σ high · sample) · 2^11 + Σ low · sample: two 16-bit multiply-adds instead of
// a slow 32-bit multiplication, and exactly the same integer.

namespace {

// Spreads four pixels of a 16-byte load: in each half two pixels, their samples paired and widened to 16 bits, so that
// one multiply-add weights and sums the pair.
template <int kChannels>
MAINSTEM_AVX2 inline __m256i PairMask() {
  constexpr char _ = -1;
  if constexpr (kChannels == 2) {
    return _mm256_setr_epi8(0, _, 2, _, 1, _, 3, _, _, _, _, _, _, _, _, _,  //
                            4, _, 6, _, 5, _, 7, _, _, _, _, _, _, _, _, _);
  } else if constexpr (kChannels == 3) {
    return _mm256_setr_epi8(0, _, 3, _, 1, _, 4, _, 2, _, 5, _, _, _, _, _,  //
                            6, _, 9, _, 7, _, 10, _, 8, _, 11, _, _, _, _, _);
  } else {
    return _mm256_setr_epi8(0, _, 4, _, 1, _, 5, _, 2, _, 6, _, 3, _, 7, _,  //
                            8, _, 12, _, 9, _, 13, _, 10, _, 14, _, 11, _, 15, _);
  }
}

MAINSTEM_AVX2 inline __m128i Folded(__m256i sums) {
  return _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
}

// Four finished samples in the lowest bytes.
MAINSTEM_AVX2 inline uint32_t Finished(__m128i high, __m128i low) {
  __m128i sum = _mm_add_epi32(_mm_add_epi32(_mm_slli_epi32(high, kLowBits), low), _mm_set1_epi32(kHalf));
  sum = _mm_srai_epi32(sum, kWeightBits);
  sum = _mm_packs_epi32(sum, sum);
  return static_cast<uint32_t>(_mm_cvtsi128_si32(_mm_packus_epi16(sum, sum)));
}

template <int kChannels, int kRows>
MAINSTEM_AVX2 void AcrossPixels(const AxisWeights& weights, const uint8_t* const* rows, uint8_t* const* out) {
  const __m256i mask = PairMask<kChannels>();
  const __m256i high_pairs = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
  const __m256i low_pairs = _mm256_setr_epi32(2, 2, 2, 2, 3, 3, 3, 3);
  for (int32_t x = 0; x < weights.output; ++x) {
    const int16_t* split = &weights.split[int64_t{x} * weights.stride * 2];
    const int64_t start = int64_t{weights.first[x]} * kChannels;
    const int32_t groups = (weights.count[x] + 3) / 4;
    __m256i high[kRows];
    __m256i low[kRows];
    for (int r = 0; r < kRows; ++r) high[r] = low[r] = _mm256_setzero_si256();
    for (int32_t group = 0; group < groups; ++group) {
      const __m256i four =
          _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(split + group * 8)));
      const __m256i high_weights = _mm256_permutevar8x32_epi32(four, high_pairs);
      const __m256i low_weights = _mm256_permutevar8x32_epi32(four, low_pairs);
      const int64_t offset = start + int64_t{group} * 4 * kChannels;
      for (int r = 0; r < kRows; ++r) {
        const __m128i load = _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[r] + offset));
        const __m256i pairs = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(load), mask);
        high[r] = _mm256_add_epi32(high[r], _mm256_madd_epi16(pairs, high_weights));
        low[r] = _mm256_add_epi32(low[r], _mm256_madd_epi16(pairs, low_weights));
      }
    }
    for (int r = 0; r < kRows; ++r) {
      // Writes four bytes; the next pixel overwrites those that are too many.
      const uint32_t samples = Finished(Folded(high[r]), Folded(low[r]));
      std::memcpy(out[r] + int64_t{x} * kChannels, &samples, 4);
    }
  }
}

template <int kRows>
MAINSTEM_AVX2 void AcrossGrey(const AxisWeights& weights, const uint8_t* const* rows, uint8_t* const* out) {
  for (int32_t x = 0; x < weights.output; ++x) {
    const int16_t* split = &weights.split[int64_t{x} * weights.stride * 2];
    const int32_t groups = (weights.count[x] + 7) / 8;
    __m128i high[kRows];
    __m128i low[kRows];
    for (int r = 0; r < kRows; ++r) high[r] = low[r] = _mm_setzero_si128();
    for (int32_t group = 0; group < groups; ++group) {
      const auto* pair = reinterpret_cast<const __m128i*>(split + group * 16);
      const __m128i a = _mm_loadu_si128(pair);
      const __m128i b = _mm_loadu_si128(pair + 1);
      const __m128i high_weights = _mm_unpacklo_epi64(a, b);
      const __m128i low_weights = _mm_unpackhi_epi64(a, b);
      const int64_t offset = int64_t{weights.first[x]} + int64_t{group} * 8;
      for (int r = 0; r < kRows; ++r) {
        const __m128i samples =
            _mm_cvtepu8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(rows[r] + offset)));
        high[r] = _mm_add_epi32(high[r], _mm_madd_epi16(samples, high_weights));
        low[r] = _mm_add_epi32(low[r], _mm_madd_epi16(samples, low_weights));
      }
    }
    for (int r = 0; r < kRows; ++r) {
      const __m128i halves = _mm_hadd_epi32(high[r], low[r]);      // h01 h23 l01 l23
      const __m128i sums = _mm_hadd_epi32(halves, halves);         // h l h l
      const int32_t sum = (_mm_cvtsi128_si32(sums) << kLowBits) + _mm_extract_epi32(sums, 1) + kHalf;
      out[r][x] = ToByte(sum);
    }
  }
}

template <int kRows>
void Across(const AxisWeights& weights, int channels, const uint8_t* const* rows, uint8_t* const* out) {
  switch (channels) {
    case 1: AcrossGrey<kRows>(weights, rows, out); break;
    case 2: AcrossPixels<2, kRows>(weights, rows, out); break;
    case 3: AcrossPixels<3, kRows>(weights, rows, out); break;
    default: AcrossPixels<4, kRows>(weights, rows, out); break;
  }
}

MAINSTEM_AVX2 inline __m256i Rounded(__m256i high, __m256i low) {
  const __m256i sum =
      _mm256_add_epi32(_mm256_add_epi32(_mm256_slli_epi32(high, kLowBits), low), _mm256_set1_epi32(kHalf));
  return _mm256_srai_epi32(sum, kWeightBits);
}

}  // namespace

void ResampleAcrossAvx2(const AxisWeights& weights, int channels, const uint8_t* const* rows, uint8_t* const* out,
                        int count) {
  if (count == kRowsAtOnce) return Across<kRowsAtOnce>(weights, channels, rows, out);
  for (int i = 0; i < count; ++i) Across<1>(weights, channels, rows + i, out + i);
}

MAINSTEM_AVX2 void ResampleDownAvx2(const AxisWeights& weights, int32_t position, const uint8_t* const* rows,
                                    size_t row_bytes, uint8_t* out) {
  constexpr size_t kBlock = 16;
  const int16_t* split = &weights.split[int64_t{position} * weights.stride * 2];
  const int32_t pairs = (weights.count[position] + 1) / 2;
  size_t i = 0;
  for (; i + kBlock <= row_bytes; i += kBlock) {
    __m256i high0 = _mm256_setzero_si256();
    __m256i high1 = high0;
    __m256i low0 = high0;
    __m256i low1 = high0;
    for (int32_t pair = 0; pair < pairs; ++pair) {
      int32_t weight_bits[2];
      const int16_t* group = split + pair / 2 * 8 + pair % 2 * 2;
      std::memcpy(&weight_bits[0], group, 4);
      std::memcpy(&weight_bits[1], group + 4, 4);
      const __m256i high_weights = _mm256_set1_epi32(weight_bits[0]);
      const __m256i low_weights = _mm256_set1_epi32(weight_bits[1]);
      const __m128i upper = _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[pair * 2] + i));
      const __m128i lower = _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[pair * 2 + 1] + i));
      const __m256i samples0 = _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(upper, lower));
      const __m256i samples1 = _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(upper, lower));
      high0 = _mm256_add_epi32(high0, _mm256_madd_epi16(samples0, high_weights));
      high1 = _mm256_add_epi32(high1, _mm256_madd_epi16(samples1, high_weights));
      low0 = _mm256_add_epi32(low0, _mm256_madd_epi16(samples0, low_weights));
      low1 = _mm256_add_epi32(low1, _mm256_madd_epi16(samples1, low_weights));
    }
    // Packing works within 128-bit halves; the permutations put the samples back in order.
    const __m256i words = _mm256_permute4x64_epi64(
        _mm256_packs_epi32(Rounded(high0, low0), Rounded(high1, low1)), _MM_SHUFFLE(3, 1, 2, 0));
    const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), bytes);
  }
  ResampleDownPortable(weights, position, rows, i, row_bytes, out);
}

#else

void ResampleAcrossAvx2(const AxisWeights& weights, int channels, const uint8_t* const* rows, uint8_t* const* out,
                        int count) {
  ResampleAcrossPortable(weights, channels, rows, out, count);
}
void ResampleDownAvx2(const AxisWeights& weights, int32_t position, const uint8_t* const* rows, size_t row_bytes,
                      uint8_t* out) {
  ResampleDownPortable(weights, position, rows, 0, row_bytes, out);
}

#endif

}  // namespace mainstem
