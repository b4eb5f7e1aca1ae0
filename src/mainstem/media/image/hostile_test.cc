// Bytes that mean harm: every outcome is a picture or a row error, never a crash, a hang or memory without limit.
#include <fmt/format.h>

#include "mainstem/media/image/decode.h"
#include "mainstem/media/image/exif.h"
#include "mainstem/media/image/testdata.h"

namespace mainstem {
namespace {

// A small generator with a fixed seed: the cases are the same on every machine (Marsaglia, xorshift32).
class Random {
 public:
  uint32_t Below(uint32_t bound) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return state_ % bound;
  }

 private:
  uint32_t state_ = 2463534242;
};

constexpr int64_t kPixelLimit = 1 << 16;

void ExpectPictureOrRowError(const std::string& bytes, const std::string& what) {
  // A copy of its own size, so that the address sanitizer sees a read behind the end.
  const std::vector<uint8_t> exact(bytes.begin(), bytes.end());
  const DecodeOptions options{.pixel_limit = kPixelLimit, .apply_orientation = true};
  const auto image = DecodeImage(exact, options);
  if (image.ok()) {
    EXPECT_LE(int64_t{image->width} * image->height, kPixelLimit) << what;
  } else {
    EXPECT_EQ(ClassOf(image.status()), ErrorClass::kRow) << what << ": " << image.status();
  }
}

TEST(HostileTest, FlippedBytes) {
  Random random;
  for (const std::string& name : testdata::Encoded()) {
    const Bytes bytes = testdata::Read(name);
    for (int attempt = 0; attempt < 200; ++attempt) {
      std::string broken(bytes.view());
      // Most damage where the structure is: in the first 200 bytes.
      const uint32_t end = attempt % 3 ? std::min<uint32_t>(200, broken.size()) : broken.size();
      for (uint32_t flips = 1 + random.Below(4); flips > 0; --flips) broken[random.Below(end)] ^= 1 + random.Below(255);
      ExpectPictureOrRowError(broken, fmt::format("{} attempt {}", name, attempt));
    }
  }
}

TEST(HostileTest, BytesCutOutAndPutIn) {
  Random random;
  for (const std::string& name : testdata::Encoded()) {
    const Bytes bytes = testdata::Read(name);
    for (int attempt = 0; attempt < 60; ++attempt) {
      std::string broken(bytes.view());
      const uint32_t at = random.Below(broken.size());
      const uint32_t count = 1 + random.Below(40);
      if (attempt % 2) {
        broken.erase(at, count);
      } else {
        broken.insert(at, std::string(broken.substr(random.Below(broken.size()), count)));
      }
      ExpectPictureOrRowError(broken, fmt::format("{} attempt {}", name, attempt));
    }
  }
}

TEST(HostileTest, EveryTruncation) {
  for (const std::string& name : testdata::Encoded()) {
    const Bytes bytes = testdata::Read(name);
    const size_t step = std::max<size_t>(1, bytes.size() / 150);
    for (size_t size = 0; size < bytes.size(); size += size < 200 ? 1 : step) {
      ExpectPictureOrRowError(std::string(bytes.view().substr(0, size)), fmt::format("{} cut to {}", name, size));
    }
  }
}

TEST(HostileTest, HeadersThatPromiseTooMuch) {
  // Only the size in the header of a valid PNG grows; its checksum no longer holds either.
  std::string bytes(testdata::Read("rgb.png").view());
  for (const char side : {'\x7f', '\xff'}) {
    for (int i = 16; i < 24; ++i) bytes[i] = side;
    const auto image = DecodeImage(Bytes(bytes, nullptr).span());
    EXPECT_EQ(ClassOf(image.status()), ErrorClass::kRow);
  }
  // 1 × 2,000,000 pixels pass the pixel limit, but not the one on sides.
  for (int i = 16; i < 24; ++i) bytes[i] = 0;
  bytes[19] = 1;
  bytes[21] = 0x1e;
  bytes[22] = '\x84';
  bytes[23] = '\x80';
  EXPECT_THAT(DecodeImage(Bytes(bytes, nullptr).span()).status().message(), ::testing::HasSubstr("side beyond"));
}

TEST(HostileTest, AJpegWithTooManyScansIsRefused) {
  // The last scan of a progressive file, again and again.
  const std::string bytes(testdata::Read("progressive.jpg").view());
  const size_t last = bytes.rfind("\xff\xda");
  const std::string scan = bytes.substr(last, bytes.size() - 2 - last);
  std::string many = bytes.substr(0, bytes.size() - 2);
  for (int i = 0; i < 1000; ++i) many += scan;
  many += "\xff\xd9";
  EXPECT_THAT(DecodeImage(Bytes(many, nullptr).span()).status().message(), ::testing::HasSubstr("scans"));
}

TEST(HostileTest, BrokenExifHasNoOrientation) {
  const std::string valid("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0", 22);
  const auto orientation = [](std::string_view block) { return ExifOrientation(Bytes(block, nullptr).span()); };
  ASSERT_EQ(orientation(valid), 6);
  ASSERT_EQ(orientation(std::string("Exif\0\0", 6) + valid), 6);
  for (size_t size = 0; size < valid.size() - 2; ++size) EXPECT_EQ(orientation(valid.substr(0, size)), 1) << size;
  std::string far = valid;
  far[4] = far[5] = far[6] = far[7] = '\xff';
  EXPECT_EQ(orientation(far), 1);
  std::string many = valid;
  many[8] = many[9] = '\xff';
  many[10] = 0;
  EXPECT_EQ(orientation(many), 1);
  std::string nine = valid;
  nine[18] = 9;
  EXPECT_EQ(orientation(nine), 1);
}

}  // namespace
}  // namespace mainstem
