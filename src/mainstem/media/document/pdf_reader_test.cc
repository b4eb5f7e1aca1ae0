#include "mainstem/media/document/pdf_reader.h"

#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <iterator>
#include <random>
#include <thread>

namespace mainstem::document {
namespace {

// The fixtures and what they hold: testdata/make_fixtures.py.
std::string Contents(const std::string& name) {
  std::ifstream file(std::string(MAINSTEM_TESTDATA) + "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Result<std::unique_ptr<PdfReader>> Open(const std::string& name, std::optional<std::string> password = {}) {
  return PdfReader::Open(Bytes::Own(Contents(name)), password);
}

std::array<int, 3> Pixel(const Image& image, int x, int y) {
  const uint8_t* pixel = image.row(y) + x * 3;
  return {pixel[0], pixel[1], pixel[2]};
}

class PdfReaderTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto pdfium = LoadPdfium(); !pdfium.ok()) {
      GTEST_SKIP() << "PDFium is not installed: " << pdfium.status().message();
    }
  }
};

TEST_F(PdfReaderTest, ReadsTextAndSizeOfEveryPage) {
  const auto reader = *Open("text.pdf");
  EXPECT_EQ(reader->page_count(), 3);
  const Page one = *reader->ReadPage(1, {});
  EXPECT_EQ(one.page_no, 1);
  EXPECT_EQ(one.text, "Hello Mainstem\nSecond line\nAn example at well-known");
  EXPECT_DOUBLE_EQ(one.width, 612);
  EXPECT_DOUBLE_EQ(one.height, 792);
  EXPECT_FALSE(one.image.has_value());
  const Page two = *reader->ReadPage(2, {});
  EXPECT_EQ(two.text, "");
  EXPECT_DOUBLE_EQ(two.width, 144);
  const Page three = *reader->ReadPage(3, {});
  EXPECT_EQ(three.text, "caf\u00e9 (\u00a9)");
  EXPECT_DOUBLE_EQ(three.width, 300) << "turned by 90 degrees";
  EXPECT_DOUBLE_EQ(three.height, 200);
}

TEST_F(PdfReaderTest, ReplacesWhatIsNoCharacter) {
  const auto reader = *Open("unicode.pdf");
  EXPECT_EQ(reader->ReadPage(1, {})->text, "x\U0001F600\uFFFD\u4E2Dy");
}

TEST_F(PdfReaderTest, DrawsThePageInItsColours) {
  const auto reader = *Open("text.pdf");
  // 144 × 72 points: red left half, green right half, a blue square of 36 points at the lower right.
  for (const double dpi : {72.0, 50.0, 150.0}) {
    const Page page = *reader->ReadPage(2, {.text = false, .image = true, .dpi = dpi});
    ASSERT_TRUE(page.image.has_value());
    const Image& image = *page.image;
    EXPECT_EQ(image.mode, ImageMode::kRGB);
    EXPECT_EQ(image.width, static_cast<int>(144 * dpi / 72));
    EXPECT_EQ(image.height, static_cast<int>(72 * dpi / 72));
    EXPECT_EQ(Pixel(image, image.width / 4, image.height / 2), (std::array{255, 0, 0}));
    EXPECT_EQ(Pixel(image, image.width * 5 / 8, image.height * 3 / 4), (std::array{0, 255, 0}));
    EXPECT_EQ(Pixel(image, image.width * 7 / 8, image.height / 4), (std::array{0, 255, 0}));
    EXPECT_EQ(Pixel(image, image.width * 7 / 8, image.height * 3 / 4), (std::array{0, 0, 255}));
  }
}

TEST_F(PdfReaderTest, DrawsOnWhite) {
  const auto reader = *Open("text.pdf");
  const Page page = *reader->ReadPage(1, {.text = false, .image = true, .dpi = 72});
  EXPECT_EQ(page.image->width, 612);
  EXPECT_EQ(page.image->height, 792);
  EXPECT_EQ(Pixel(*page.image, 5, 5), (std::array{255, 255, 255}));
  EXPECT_EQ(Pixel(*page.image, 606, 786), (std::array{255, 255, 255}));
  int64_t dark = 0;
  for (int64_t i = 0; i < page.image->size_bytes(); ++i) dark += page.image->data()[i] < 64 ? 1 : 0;
  EXPECT_GT(dark, 300) << "letters";
}

TEST_F(PdfReaderTest, EncryptedPdfNeedsItsPassword) {
  const auto without = Open("encrypted.pdf");
  EXPECT_EQ(ClassOf(without.status()), ErrorClass::kRow);
  EXPECT_NE(without.status().message().find("encrypted"), std::string::npos);
  EXPECT_EQ(ClassOf(Open("encrypted.pdf", "wrong").status()), ErrorClass::kRow);
  const auto reader = *Open("encrypted.pdf", "secret");
  EXPECT_EQ(reader->ReadPage(1, {})->text, "Hidden words");
}

TEST_F(PdfReaderTest, PageTreeThatLoopsIsARowError) {
  const auto reader = Open("loop.pdf");
  if (!reader.ok()) {
    EXPECT_EQ(ClassOf(reader.status()), ErrorClass::kRow);
    return;
  }
  const auto page = (*reader)->ReadPage(1, {});
  EXPECT_EQ(ClassOf(page.status()), ErrorClass::kRow);
  EXPECT_NE(page.status().message().find("page 1"), std::string::npos);
}

TEST_F(PdfReaderTest, NoPagesIsARowError) {
  EXPECT_EQ(ClassOf(Open("no_pages.pdf").status()), ErrorClass::kRow);
}

TEST_F(PdfReaderTest, PageThatIsOnlyClaimedIsARowError) {
  const auto reader = *Open("count_lies.pdf");
  EXPECT_EQ(reader->ReadPage(1, {})->text, "only");
  EXPECT_EQ(ClassOf(reader->ReadPage(2, {}).status()), ErrorClass::kRow);
  EXPECT_EQ(ClassOf(reader->ReadPage(0, {}).status()), ErrorClass::kRow);
  EXPECT_EQ(ClassOf(reader->ReadPage(99, {}).status()), ErrorClass::kRow);
}

TEST_F(PdfReaderTest, HugePageIsRefusedBeforeItIsAllocated) {
  const auto reader = *Open("huge_page.pdf");
  EXPECT_EQ(reader->ReadPage(1, {})->text, "big");
  const auto page = reader->ReadPage(1, {.image = true, .dpi = 600});
  EXPECT_EQ(ClassOf(page.status()), ErrorClass::kRow);
  EXPECT_NE(page.status().message().find("pixel_limit"), std::string::npos);
}

TEST_F(PdfReaderTest, RefusesWhatIsNoPdf) {
  for (const std::string& bytes : {std::string(), std::string("hello"), std::string(4000, '\0'),
                                   std::string("%PDF-1.7\n"), Contents("text.pdf").substr(0, 200)}) {
    EXPECT_EQ(ClassOf(PdfReader::Open(Bytes::Own(bytes)).status()), ErrorClass::kRow);
  }
}

TEST_F(PdfReaderTest, CorruptedBytesNeverCrashOrHang) {
  std::mt19937 random(20240608);
  for (const char* name : {"text.pdf", "unicode.pdf", "encrypted.pdf", "loop.pdf", "count_lies.pdf"}) {
    const std::string sound = Contents(name);
    for (int round = 0; round < 150; ++round) {
      std::string bytes = sound;
      const int changes = 1 + static_cast<int>(random() % 12);
      for (int i = 0; i < changes; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
      if (round % 4 == 0) bytes.resize(random() % bytes.size());
      const auto reader = PdfReader::Open(Bytes::Own(std::move(bytes)), "secret");
      EXPECT_TRUE(reader.ok() || ClassOf(reader.status()) == ErrorClass::kRow) << reader.status().ToString();
      if (!reader.ok()) continue;
      for (int32_t page_no = 1; page_no <= std::min((*reader)->page_count(), 4); ++page_no) {
        const auto page = (*reader)->ReadPage(page_no, {.image = true, .dpi = 20, .pixel_limit = 1 << 20});
        EXPECT_TRUE(page.ok() || ClassOf(page.status()) == ErrorClass::kRow) << page.status().ToString();
      }
    }
  }
}

TEST_F(PdfReaderTest, ReadersOfSeveralThreadsDoNotDisturbEachOther) {
  const Bytes pdf = Bytes::Own(Contents("text.pdf"));
  std::vector<std::thread> threads;
  std::array<int, 4> right{};
  for (int& count : right) {
    threads.emplace_back([&pdf, &count] {
      for (int i = 0; i < 20; ++i) {
        const auto reader = PdfReader::Open(pdf);
        const auto page = (*reader)->ReadPage(3, {.image = true, .dpi = 30});
        if (page.ok() && page->text == "caf\u00e9 (\u00a9)") ++count;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, (std::array{20, 20, 20, 20}));
}

TEST(LoadPdfiumTest, AMissingLibrarySaysWhatToInstall) {
  const auto pdfium = LoadPdfiumFrom(std::vector<std::string>{"/nowhere/libpdfium.so"});
  EXPECT_EQ(ClassOf(pdfium.status()), ErrorClass::kJob);
  EXPECT_NE(pdfium.status().message().find("pypdfium2"), std::string::npos);
}

TEST(LoadPdfiumTest, RefusesAnotherLibrary) {
  const auto pdfium = LoadPdfiumFrom(std::vector<std::string>{"libm.so.6"});
  EXPECT_EQ(ClassOf(pdfium.status()), ErrorClass::kJob);
  EXPECT_NE(pdfium.status().message().find("FPDF_InitLibrary"), std::string::npos);
}

}  // namespace
}  // namespace mainstem::document
