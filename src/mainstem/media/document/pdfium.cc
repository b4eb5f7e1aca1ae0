#include "mainstem/media/document/pdfium.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

namespace mainstem::document {
namespace {

constexpr char kAdvice[] =
    "Document functions need PDFium: 'pip install pypdfium2', or name libpdfium.so in the environment variable "
    "MAINSTEM_PDFIUM.";

std::vector<std::string> Places() {
  std::vector<std::string> files;
  if (const char* variable = std::getenv("MAINSTEM_PDFIUM"); variable != nullptr && *variable != '\0') {
    files.emplace_back(variable);
  }
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&Places), &info) != 0 && info.dli_fname != nullptr) {
    const auto folder = std::filesystem::path(info.dli_fname).parent_path();
    files.push_back((folder / "../pypdfium2_raw/libpdfium.so").string());
  }
#ifdef MAINSTEM_BUILD_PDFIUM
  files.emplace_back(MAINSTEM_BUILD_PDFIUM);
#endif
  files.emplace_back("libpdfium.so");
  return files;
}

template <typename Function>
bool Bind(void* library, const char* symbol, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, symbol));
  return *function != nullptr;
}

// Returns the name of a missing symbol, or null.
const char* BindAll(void* library, Pdfium* pdfium) {
#define BIND(member, symbol) \
  if (!Bind(library, symbol, &pdfium->member)) return symbol
  BIND(InitLibrary, "FPDF_InitLibrary");
  BIND(LoadMemDocument64, "FPDF_LoadMemDocument64");
  BIND(CloseDocument, "FPDF_CloseDocument");
  BIND(GetLastError, "FPDF_GetLastError");
  BIND(GetPageCount, "FPDF_GetPageCount");
  BIND(LoadPage, "FPDF_LoadPage");
  BIND(ClosePage, "FPDF_ClosePage");
  BIND(GetPageWidthF, "FPDF_GetPageWidthF");
  BIND(GetPageHeightF, "FPDF_GetPageHeightF");
  BIND(TextLoadPage, "FPDFText_LoadPage");
  BIND(TextClosePage, "FPDFText_ClosePage");
  BIND(TextCountChars, "FPDFText_CountChars");
  BIND(TextGetText, "FPDFText_GetText");
  BIND(BitmapCreateEx, "FPDFBitmap_CreateEx");
  BIND(BitmapDestroy, "FPDFBitmap_Destroy");
  BIND(BitmapFillRect, "FPDFBitmap_FillRect");
  BIND(RenderPageBitmap, "FPDF_RenderPageBitmap");
#undef BIND
  return nullptr;
}

}  // namespace

std::mutex& PdfiumMutex() {
  static std::mutex& mutex = *new std::mutex;  // documents may be closed while the process ends
  return mutex;
}

Result<const Pdfium*> LoadPdfiumFrom(std::span<const std::string> files) {
  std::string reasons;
  for (const std::string& file : files) {
    std::error_code failure;
    if (file.find('/') != std::string::npos && !std::filesystem::exists(file, failure)) continue;
    void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      reasons += fmt::format(" '{}' cannot be loaded: {}.", Escaped(file), Escaped(dlerror()));
      continue;
    }
    auto pdfium = std::make_unique<Pdfium>();
    if (const char* missing = BindAll(library, pdfium.get())) {
      reasons += fmt::format(" '{}' has no function {}.", Escaped(file), missing);
      dlclose(library);
      continue;
    }
    const std::lock_guard lock(PdfiumMutex());
    pdfium->InitLibrary();  // does nothing where pypdfium2 has done it
    return pdfium.release();
  }
  return JobError(fmt::format("there is no PDF reader.{} {}", reasons, kAdvice));
}

Result<const Pdfium*> LoadPdfium() {
  // A loaded library is a fact of the process, so it is remembered for the process; failure is not.
  static std::mutex mutex;
  static const Pdfium* loaded = nullptr;
  const std::lock_guard lock(mutex);
  if (loaded == nullptr) {
    ARROW_ASSIGN_OR_RAISE(loaded, LoadPdfiumFrom(Places()));
  }
  return loaded;
}

}  // namespace mainstem::document
