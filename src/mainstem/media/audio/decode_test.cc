#include "mainstem/media/audio/decode.h"

#include <arrow/memory_pool.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "mainstem/media/audio/resample.h"
#include "mainstem/media/audio/testdata.h"

namespace mainstem::audio {
namespace {

Result<Waveform> DecodeBytes(std::string bytes, int64_t limit = kMaxDecodedBytes, TimeRange range = {}) {
  ARROW_ASSIGN_OR_RAISE(SoundFile file, SoundFile::Open(Bytes::Own(std::move(bytes))));
  return Decode(file, limit, range);
}

ErrorClass ClassOfDecode(std::string bytes, int64_t limit = kMaxDecodedBytes, TimeRange range = {}) {
  const auto result = DecodeBytes(std::move(bytes), limit, range);
  EXPECT_FALSE(result.ok());
  return result.ok() ? ErrorClass::kCancelled : ClassOf(result.status());
}

void ExpectNear(const float* got, const std::vector<float>& expected, double tolerance) {
  double worst = 0;
  for (size_t i = 0; i < expected.size(); ++i) worst = std::max<double>(worst, std::abs(got[i] - expected[i]));
  EXPECT_LE(worst, tolerance);
}

void PutLittle(std::string& bytes, size_t at, uint64_t value, int count) {
  for (int i = 0; i < count; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i));
}

// A WAV header as Microsoft describes it, of 16-bit PCM, and the data bytes.
std::string Wav(uint32_t claimed_bytes, uint16_t channels, uint32_t rate, size_t data_bytes) {
  std::string out = "RIFF....WAVEfmt ........................data....";
  out.resize(44);
  PutLittle(out, 4, claimed_bytes == 0xffffffff ? 0xffffffff : 36 + claimed_bytes, 4);
  PutLittle(out, 16, 16, 4);
  PutLittle(out, 20, 1, 2);
  PutLittle(out, 22, channels, 2);
  PutLittle(out, 24, rate, 4);
  PutLittle(out, 28, rate * channels * 2, 4);
  PutLittle(out, 32, channels * 2, 2);
  PutLittle(out, 34, 16, 2);
  out.replace(36, 4, "data");
  PutLittle(out, 40, claimed_bytes, 4);
  return out + std::string(data_bytes, '\0');
}

TEST(Decode, GivesTheSamplesThatSoundfileReads) {
  for (const ExpectedSound& expected : ExpectedSounds()) {
    SCOPED_TRACE(expected.name);
    const auto waveform = DecodeBytes(ReadTestdata(expected.name));
    ASSERT_TRUE(waveform.ok()) << waveform.status();
    const std::vector<float> samples = ReadSamples(expected.SamplesName());
    EXPECT_EQ(waveform->sample_rate, expected.sample_rate);
    EXPECT_EQ(waveform->channels, expected.channels);
    ASSERT_EQ(waveform->frames, expected.frames);
    ASSERT_EQ(waveform->samples->size(), static_cast<int64_t>(samples.size() * sizeof(float)));
    // Lossy decoders differ in their last bits between versions.
    ExpectNear(waveform->data(), samples, expected.lossy ? 2e-3 : 0);
  }
}

TEST(Decode, OfARangeGivesItsFrames) {
  const std::vector<float> samples = ReadSamples("stereo48k.f32");
  const auto part = DecodeBytes(ReadTestdata("stereo48k.flac"), kMaxDecodedBytes, {.start_ms = 40, .end_ms = 75});
  ASSERT_TRUE(part.ok()) << part.status();
  ASSERT_EQ(part->frames, 35 * 48);
  EXPECT_EQ(part->start_time_ms, 40);
  EXPECT_EQ(part->end_time_ms, 75);
  ExpectNear(part->data(), {samples.begin() + 40 * 48 * 2, samples.begin() + 75 * 48 * 2}, 0);
}

TEST(Decode, CutsARangeAtTheEndOfTheSound) {
  const auto part = DecodeBytes(ReadTestdata("mono44k.wav"), kMaxDecodedBytes, {.start_ms = 100, .end_ms = 900000});
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_EQ(part->frames, 44100 / 8 - 4410);
}

TEST(Decode, RefusesRangesThatAreNone) {
  const std::string wav = ReadTestdata("mono44k.wav");
  EXPECT_EQ(ClassOfDecode(wav, kMaxDecodedBytes, {.start_ms = -1}), ErrorClass::kRow);
  EXPECT_EQ(ClassOfDecode(wav, kMaxDecodedBytes, {.start_ms = 50, .end_ms = 49}), ErrorClass::kRow);
  EXPECT_EQ(ClassOfDecode(wav, kMaxDecodedBytes, {.start_ms = 125}), ErrorClass::kRow);
  EXPECT_EQ(ClassOfDecode(wav, kMaxDecodedBytes, {.start_ms = INT64_MAX}), ErrorClass::kRow);
}

TEST(Decode, RefusesMoreThanTheLimit) {
  const std::string flac = ReadTestdata("stereo48k.flac");
  EXPECT_TRUE(DecodeBytes(flac, 6000 * 2 * 4).ok());
  EXPECT_EQ(ClassOfDecode(flac, 6000 * 2 * 4 - 1), ErrorClass::kRow);
}

TEST(Decode, TakesNoMemoryForAWavThatClaimsFourGigabytes) {
  const int64_t before = arrow::default_memory_pool()->max_memory();
  const auto waveform = DecodeBytes(Wav(0xfffffff0, 1, 16000, 3200));
  ASSERT_TRUE(waveform.ok()) << waveform.status();
  EXPECT_EQ(waveform->frames, 1600);  // what is there: 3200 bytes of 16 bits
  EXPECT_LT(arrow::default_memory_pool()->max_memory() - before, int64_t{64} << 20);
}

TEST(Decode, TakesNoMemoryForAFlacThatClaimsGigabytes) {
  // Bits 108 to 143 of STREAMINFO, which starts at byte 8, are the number of samples: claim 100 million.
  std::string flac = ReadTestdata("stereo48k.flac");
  flac[21] = static_cast<char>(flac[21] & 0xf0);
  const uint32_t samples = 100'000'000;
  for (int i = 0; i < 4; ++i) flac[22 + i] = static_cast<char>(samples >> (24 - 8 * i));
  const int64_t before = arrow::default_memory_pool()->max_memory();
  EXPECT_EQ(ClassOfDecode(flac), ErrorClass::kRow);
  EXPECT_LT(arrow::default_memory_pool()->max_memory() - before, int64_t{64} << 20);
  flac[21] = static_cast<char>(flac[21] | 0x0f);
  EXPECT_EQ(ClassOfDecode(flac), ErrorClass::kRow);
}

TEST(Decode, ReadsAFlacThatDoesNotKnowItsLength) {
  // Encoders that write to a pipe leave the number of samples at 0: not known.
  std::string flac = ReadTestdata("stereo48k.flac");
  flac[21] = static_cast<char>(flac[21] & 0xf0);
  flac.replace(22, 4, 4, '\0');
  auto file = SoundFile::Open(Bytes::Own(flac));
  ASSERT_TRUE(file.ok()) << file.status();
  const auto metadata = ReadMetadata(*file);
  ASSERT_TRUE(metadata.ok()) << metadata.status();
  EXPECT_FALSE(metadata->frames || metadata->duration_ms || metadata->duration_seconds());
  const auto waveform = Decode(*file);
  ASSERT_TRUE(waveform.ok()) << waveform.status();
  ASSERT_EQ(waveform->frames, 6000);
  ExpectNear(waveform->data(), ReadSamples("stereo48k.f32"), 0);
  EXPECT_EQ(ClassOfDecode(flac, 6000 * 2 * 4 - 1), ErrorClass::kRow);
}

TEST(Decode, RefusesWhatIsNoSound) {
  EXPECT_EQ(ClassOfDecode(""), ErrorClass::kRow);
  EXPECT_EQ(ClassOfDecode("R"), ErrorClass::kRow);
  EXPECT_EQ(ClassOfDecode("\x89PNG\r\n\x1a\n and so on"), ErrorClass::kRow);
  EXPECT_EQ(ClassOfDecode("RIFF\x10\0\0\0WEBPVP8 "), ErrorClass::kRow);
  EXPECT_EQ(ClassOfDecode("fLaC"), ErrorClass::kRow);
  EXPECT_EQ(ClassOfDecode("OggS"), ErrorClass::kRow);
  EXPECT_EQ(ClassOfDecode(Wav(100, 0, 16000, 100)), ErrorClass::kRow);
  EXPECT_EQ(ClassOfDecode(Wav(100, 1, 0, 100)), ErrorClass::kRow);
}

TEST(Decode, OfASoundWithoutFramesIsEmpty) {
  const auto waveform = DecodeBytes(Wav(0, 1, 16000, 0));
  ASSERT_TRUE(waveform.ok()) << waveform.status();
  EXPECT_EQ(waveform->frames, 0);
}

TEST(Decode, RefusesFlacThatIsCutOff) {
  const std::string whole = ReadTestdata("stereo48k.flac");
  const std::string half = whole.substr(0, whole.size() / 2);
  EXPECT_EQ(ClassOfDecode(half), ErrorClass::kRow);
  auto file = SoundFile::Open(Bytes::Own(half));
  ASSERT_TRUE(file.ok());
  EXPECT_FALSE(CheckDecodes(*file).ok());
}

TEST(Metadata, IsWhatSoundfileSays) {
  for (const ExpectedSound& expected : ExpectedSounds()) {
    SCOPED_TRACE(expected.name);
    const std::string bytes = ReadTestdata(expected.name);
    auto file = SoundFile::Open(Bytes::Own(bytes));
    ASSERT_TRUE(file.ok()) << file.status();
    const auto metadata = ReadMetadata(*file);
    ASSERT_TRUE(metadata.ok()) << metadata.status();
    EXPECT_EQ(metadata->sample_rate, expected.sample_rate);
    EXPECT_EQ(metadata->channels, expected.channels);
    EXPECT_EQ(metadata->frames, expected.frames);
    EXPECT_EQ(metadata->duration_ms, expected.frames * 1000 / expected.sample_rate);
    EXPECT_EQ(metadata->format, expected.format);
    EXPECT_EQ(metadata->codec, expected.codec);
    EXPECT_EQ(metadata->size, static_cast<int64_t>(bytes.size()));
  }
}

TEST(Metadata, HasTheBitRateOfTheWholeFile) {
  // One second of 16-bit mono at 8 kHz: 16,044 bytes.
  auto file = SoundFile::Open(Bytes::Own(Wav(16000, 1, 8000, 16000)));
  ASSERT_TRUE(file.ok());
  const auto metadata = ReadMetadata(*file, {.start_ms = 250, .end_ms = 750});
  ASSERT_TRUE(metadata.ok());
  EXPECT_EQ(metadata->bit_rate, 16044 * 8);
  EXPECT_EQ(metadata->frames, 4000);
  EXPECT_EQ(metadata->duration_seconds(), 0.5);
}

TEST(Standardize, GivesWhatPythonSoxrGives) {
  const auto waveform = DecodeBytes(ReadTestdata("stereo48k.flac"));
  ASSERT_TRUE(waveform.ok());
  const auto standard = Standardize(*waveform, 16000, 1);
  ASSERT_TRUE(standard.ok()) << standard.status();
  const std::vector<float> expected = ReadSamples("stereo48k_16k_mono.f32");
  ASSERT_EQ(standard->frames, static_cast<int64_t>(expected.size()));
  EXPECT_EQ(standard->sample_rate, 16000);
  EXPECT_EQ(standard->channels, 1);
  ExpectNear(standard->data(), expected, 1e-6);
}

TEST(Resample, UpwardsGivesWhatPythonSoxrGives) {
  const auto waveform = DecodeBytes(ReadTestdata("mono44k.wav"));
  ASSERT_TRUE(waveform.ok());
  const auto resampled = Resample(*waveform, 48000);
  ASSERT_TRUE(resampled.ok()) << resampled.status();
  const std::vector<float> expected = ReadSamples("mono44k_48k.f32");
  ASSERT_EQ(resampled->frames, static_cast<int64_t>(expected.size()));
  ExpectNear(resampled->data(), expected, 1e-6);
}

TEST(Resample, KeepsAPureToneAcrossManyBlocks) {
  // Ten seconds of 1 kHz at 48 kHz must be 1 kHz at 16 kHz, away from the ends.
  auto tone = Waveform::Allocate(480000, 1, 48000).ValueOrDie();
  for (int64_t i = 0; i < tone.frames; ++i) {
    tone.mutable_data()[i] = static_cast<float>(0.5 * std::sin(2 * M_PI * 1000 * static_cast<double>(i) / 48000));
  }
  const auto out = Resample(tone, 16000);
  ASSERT_TRUE(out.ok());
  ASSERT_EQ(out->frames, 160000);
  double worst = 0;
  for (int64_t i = 2000; i < 158000; ++i) {
    const double expected = 0.5 * std::sin(2 * M_PI * 1000 * static_cast<double>(i) / 16000);
    worst = std::max(worst, std::abs(out->data()[i] - expected));
  }
  EXPECT_LT(worst, 1e-4);
}

TEST(Resample, RefusesAResultBeyondTheLimit) {
  // A header may claim 1 Hz: 16,000 times as many frames.
  const auto slow = Waveform::Allocate(100000, 1, 1).ValueOrDie();
  const auto result = Resample(slow, 16000);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(ClassOf(result.status()), ErrorClass::kRow);
}

TEST(Resample, OfNoFramesIsEmpty) {
  const auto result = Resample(Waveform::Allocate(0, 2, 48000).ValueOrDie(), 16000);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->frames, 0);
}

TEST(MixChannels, AveragesAndCopies) {
  auto stereo = Waveform::Allocate(2, 2, 8000).ValueOrDie();
  std::copy_n(std::vector<float>{0.5F, -0.25F, 1.0F, 0.0F}.data(), 4, stereo.mutable_data());
  const auto mono = MixChannels(stereo, 1).ValueOrDie();
  EXPECT_EQ(mono.data()[0], 0.125F);
  EXPECT_EQ(mono.data()[1], 0.5F);
  const auto three = MixChannels(mono, 3).ValueOrDie();
  EXPECT_EQ(std::vector<float>(three.data(), three.data() + 6),
            (std::vector<float>{0.125F, 0.125F, 0.125F, 0.5F, 0.5F, 0.5F}));
  const auto back = MixChannels(three, 1).ValueOrDie();
  EXPECT_EQ(back.data()[1], 0.5F);
  EXPECT_EQ(ClassOf(MixChannels(three, 2).status()), ErrorClass::kRow);
}

}  // namespace
}  // namespace mainstem::audio
