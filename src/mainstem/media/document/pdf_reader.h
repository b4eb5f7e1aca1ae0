// PdfReader: the pages of one PDF as text and as pictures.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "mainstem/base/error.h"
#include "mainstem/data/bytes.h"
#include "mainstem/data/image.h"
#include "mainstem/media/document/pdfium.h"

namespace mainstem::document {

/// What to take from a page.
struct PageOptions {
  bool text = true;
  bool image = false;
  double dpi = 150;                  ///< pixels an inch of the picture
  int64_t pixel_limit = 178956970;   ///< a larger picture is an error, before anything is allocated
};

/// One page.
struct Page {
  int32_t page_no = 0;          ///< 1 is the first
  double width = 0;             ///< points (1/72 inch), rotation applied
  double height = 0;
  std::string text;             ///< UTF-8, lines end with "\n"; empty where not asked for
  std::optional<Image> image;   ///< RGB on white, ceil(points × dpi / 72) pixels a side, annotations drawn
};

/// Opens a PDF and reads its pages. Calls of all readers in a process exclude each other, a page at a time (see
/// PdfiumMutex). JavaScript is not run and form fields are not filled in. Used by one thread at a time.
class PdfReader {
 public:
  /// Damage, a missing password and a document without pages are RowErrors.
  static Result<std::unique_ptr<PdfReader>> Open(Bytes pdf, const std::optional<std::string>& password = {});
  ~PdfReader();
  PdfReader(const PdfReader&) = delete;
  PdfReader& operator=(const PdfReader&) = delete;

  /// As the document claims; a page may still be missing.
  int32_t page_count() const { return page_count_; }

  /// Reads a page, 1 … page_count().
  Result<Page> ReadPage(int32_t page_no, const PageOptions& options);

 private:
  PdfReader(Bytes pdf, const Pdfium* pdfium) : pdf_(std::move(pdf)), pdfium_(pdfium) {}

  Result<std::string> Text(FpdfPage* page) const;
  Result<Image> Render(FpdfPage* page, const Page& size, const PageOptions& options) const;

  Bytes pdf_;  // the library reads from it until the document is closed
  const Pdfium* pdfium_;
  FpdfDocument* document_ = nullptr;
  int32_t page_count_ = 0;
};

}  // namespace mainstem::document
