#include "mainstem/data/waveform.h"

namespace mainstem {

Result<Waveform> Waveform::Allocate(int64_t frames, int32_t channels, int32_t sample_rate) {
  Waveform waveform{.frames = frames, .channels = channels, .sample_rate = sample_rate};
  ARROW_ASSIGN_OR_RAISE(std::unique_ptr<arrow::Buffer> buffer,
                        arrow::AllocateBuffer(frames * channels * static_cast<int64_t>(sizeof(float))));
  waveform.samples = std::move(buffer);
  return waveform;
}

}  // namespace mainstem
