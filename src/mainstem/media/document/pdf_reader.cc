#include "mainstem/media/document/pdf_reader.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "mainstem/media/document/page_text.h"

namespace mainstem::document {
namespace {

// Values of PDFium's public headers.
constexpr int kBitmapBgr = 2;                   // FPDFBitmap_BGR: three bytes a pixel
constexpr int kDrawAnnotations = 0x01;          // FPDF_ANNOT
constexpr int kReverseByteOrder = 0x10;         // FPDF_REVERSE_BYTE_ORDER: RGB
constexpr unsigned long kWhite = 0xFFFFFFFF;    // NOLINT: PDFium's type
constexpr unsigned long kErrorPassword = 4;     // FPDF_ERR_PASSWORD
constexpr unsigned long kErrorSecurity = 5;     // FPDF_ERR_SECURITY

constexpr double kPointsPerInch = 72;
constexpr int kRowAlignment = 4;                // of PDFium's bitmaps
constexpr int kCharactersMax = 16 * 1024 * 1024;  // of one page

Status LoadError(unsigned long code, bool has_password) {  // NOLINT
  if (code == kErrorPassword) {
    return RowError(has_password ? "the PDF is encrypted and the password does not open it"
                                 : "the PDF is encrypted: give its password");
  }
  if (code == kErrorSecurity) return RowError("the PDF is encrypted in a way that is not supported");
  return RowError("broken PDF: it is damaged, cut off, or no PDF at all");
}

}  // namespace

Result<std::unique_ptr<PdfReader>> PdfReader::Open(Bytes pdf, const std::optional<std::string>& password) {
  if (pdf.empty()) return RowError("broken PDF: it is empty");
  ARROW_ASSIGN_OR_RAISE(const Pdfium* pdfium, LoadPdfium());
  std::unique_ptr<PdfReader> reader(new PdfReader(std::move(pdf), pdfium));
  {
    const std::lock_guard lock(PdfiumMutex());
    reader->document_ = pdfium->LoadMemDocument64(reader->pdf_.data(), reader->pdf_.size(),
                                                  password ? password->c_str() : nullptr);
    if (reader->document_ == nullptr) return LoadError(pdfium->GetLastError(), password.has_value());
    reader->page_count_ = pdfium->GetPageCount(reader->document_);
  }
  if (reader->page_count_ <= 0) {
    return RowError("broken PDF: it has no pages, or its page tree is damaged");
  }
  return reader;
}

PdfReader::~PdfReader() {
  if (document_ == nullptr) return;
  const std::lock_guard lock(PdfiumMutex());
  pdfium_->CloseDocument(document_);
}

Result<std::string> PdfReader::Text(FpdfPage* page) const {
  const std::unique_ptr<FpdfTextPage, void (*)(FpdfTextPage*)> text(pdfium_->TextLoadPage(page),
                                                                   pdfium_->TextClosePage);
  if (!text) return RowError("broken PDF: the text of the page cannot be read");
  const int count = pdfium_->TextCountChars(text.get());
  if (count <= 0) return std::string();
  if (count > kCharactersMax) {
    return RowError(fmt::format("the page has {} characters, more than {}", count, kCharactersMax));
  }
  std::vector<uint16_t> units(static_cast<size_t>(count) + 1);  // a NUL is added
  const int written = pdfium_->TextGetText(text.get(), 0, count, units.data());
  if (written <= 1) return std::string();
  return ToUtf8(std::span(units).first(static_cast<size_t>(written) - 1));
}

Result<Image> PdfReader::Render(FpdfPage* page, const Page& size, const PageOptions& options) const {
  const double width_px = std::ceil(size.width * options.dpi / kPointsPerInch);
  const double height_px = std::ceil(size.height * options.dpi / kPointsPerInch);
  const double limit = static_cast<double>(options.pixel_limit);
  constexpr double kSideMax = std::numeric_limits<int32_t>::max() / 4;
  if (!(width_px >= 1 && height_px >= 1 && width_px <= kSideMax && height_px <= kSideMax &&
        width_px * height_px <= limit)) {
    return RowError(fmt::format("the page is {} × {} points, at {} dpi no picture within the limit of {} pixels "
                                "(dpi, pixel_limit)", size.width, size.height, options.dpi, options.pixel_limit));
  }
  const auto width = static_cast<int32_t>(width_px);
  const auto height = static_cast<int32_t>(height_px);
  ARROW_ASSIGN_OR_RAISE(Image image, Image::Allocate(height, width, ImageMode::kRGB));
  const int64_t row_bytes = image.row_bytes();
  const int64_t stride = (row_bytes + kRowAlignment - 1) / kRowAlignment * kRowAlignment;
  std::unique_ptr<arrow::Buffer> padded;
  if (stride != row_bytes) {
    ARROW_ASSIGN_OR_RAISE(padded, arrow::AllocateBuffer(stride * height));
  }
  uint8_t* pixels = padded ? padded->mutable_data() : image.mutable_data();
  const std::unique_ptr<FpdfBitmap, void (*)(FpdfBitmap*)> bitmap(
      pdfium_->BitmapCreateEx(width, height, kBitmapBgr, pixels, static_cast<int>(stride)), pdfium_->BitmapDestroy);
  if (!bitmap) return RowError(fmt::format("PDFium cannot draw a picture of {} × {} pixels", width, height));
  pdfium_->BitmapFillRect(bitmap.get(), 0, 0, width, height, kWhite);
  pdfium_->RenderPageBitmap(bitmap.get(), page, 0, 0, width, height, 0, kDrawAnnotations | kReverseByteOrder);
  for (int64_t y = 0; padded && y < height; ++y) {
    std::memcpy(image.mutable_data() + y * row_bytes, pixels + y * stride, static_cast<size_t>(row_bytes));
  }
  return image;
}

Result<Page> PdfReader::ReadPage(int32_t page_no, const PageOptions& options) {
  if (page_no < 1 || page_no > page_count_) {
    return RowError(fmt::format("the PDF has {} pages and no page {}", page_count_, page_no));
  }
  const std::lock_guard lock(PdfiumMutex());
  const std::unique_ptr<FpdfPage, void (*)(FpdfPage*)> page(pdfium_->LoadPage(document_, page_no - 1),
                                                           pdfium_->ClosePage);
  const std::string place = fmt::format("page {} of {}", page_no, page_count_);
  if (!page) return RowError(fmt::format("{}: broken PDF: the page is missing or damaged", place));
  Page out;
  out.page_no = page_no;
  out.width = pdfium_->GetPageWidthF(page.get());
  out.height = pdfium_->GetPageHeightF(page.get());
  if (options.text) {
    auto text = Text(page.get());
    if (!text.ok()) return WithContext(text.status(), place);
    out.text = std::move(*text);
  }
  if (options.image) {
    auto image = Render(page.get(), out, options);
    if (!image.ok()) return WithContext(image.status(), place);
    out.image = std::move(*image);
  }
  return out;
}

}  // namespace mainstem::document
