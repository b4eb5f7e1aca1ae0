// Pdfium: the C interface of libpdfium.so, loaded at run time from the pypdfium2 wheel.
#pragma once

#include <cstddef>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "mainstem/base/error.h"

namespace mainstem::document {

// PDFium's opaque types (public/fpdfview.h).
struct FpdfDocument;
struct FpdfPage;
struct FpdfTextPage;
struct FpdfBitmap;

/// The functions that are used, as declared in PDFium's public headers fpdfview.h and fpdf_text.h.
struct Pdfium {
  void (*InitLibrary)() = nullptr;
  FpdfDocument* (*LoadMemDocument64)(const void* data, size_t size, const char* password) = nullptr;
  void (*CloseDocument)(FpdfDocument*) = nullptr;
  unsigned long (*GetLastError)() = nullptr;  // NOLINT: PDFium's type
  int (*GetPageCount)(FpdfDocument*) = nullptr;
  FpdfPage* (*LoadPage)(FpdfDocument*, int index) = nullptr;
  void (*ClosePage)(FpdfPage*) = nullptr;
  float (*GetPageWidthF)(FpdfPage*) = nullptr;
  float (*GetPageHeightF)(FpdfPage*) = nullptr;
  FpdfTextPage* (*TextLoadPage)(FpdfPage*) = nullptr;
  void (*TextClosePage)(FpdfTextPage*) = nullptr;
  int (*TextCountChars)(FpdfTextPage*) = nullptr;
  int (*TextGetText)(FpdfTextPage*, int start, int count, unsigned short* out) = nullptr;  // NOLINT: PDFium's type
  FpdfBitmap* (*BitmapCreateEx)(int width, int height, int format, void* first_row, int stride) = nullptr;
  void (*BitmapDestroy)(FpdfBitmap*) = nullptr;
  int (*BitmapFillRect)(FpdfBitmap*, int left, int top, int width, int height,
                        unsigned long color) = nullptr;  // NOLINT: PDFium's type
  void (*RenderPageBitmap)(FpdfBitmap*, FpdfPage*, int left, int top, int width, int height, int rotate,
                           int flags) = nullptr;
};

/// Returns the library, loaded at first use and kept for the life of the process. Looks in the file that the
/// environment variable MAINSTEM_PDFIUM names, in `../pypdfium2_raw/` beside the folder of this library, and then
/// where the system's loader looks. A JobError where there is none. Thread-safe.
Result<const Pdfium*> LoadPdfium();

/// Loads the first of `files` that works.
Result<const Pdfium*> LoadPdfiumFrom(std::span<const std::string> files);

/// The lock that every call of PDFium holds: the library is not thread-safe, even between documents, so pages are
/// read by one thread at a time in a process. Code outside Mainstem that calls the same library in this process
/// (pypdfium2 in the main Python process) is not covered.
std::mutex& PdfiumMutex();

}  // namespace mainstem::document
