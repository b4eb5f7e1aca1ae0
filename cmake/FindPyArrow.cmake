# Finds Arrow's C++ libraries inside the pyarrow wheel of the chosen Python and makes the imported targets
# PyArrow::arrow, ::compute, ::acero, ::dataset and ::parquet. The wheel carries headers and versioned
# libraries, but no CMake files.
execute_process(
  COMMAND "${Python_EXECUTABLE}" -c "import os, pyarrow; print(os.path.dirname(pyarrow.__file__))"
  OUTPUT_VARIABLE PyArrow_DIR OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE _result)
if(NOT _result EQUAL 0)
  message(FATAL_ERROR "pyarrow is not installed for ${Python_EXECUTABLE}: pip install 'pyarrow==26.0.*'")
endif()
file(STRINGS "${PyArrow_DIR}/include/arrow/util/config.h" _line REGEX "define ARROW_SO_VERSION")
string(REGEX REPLACE ".*\"([0-9]+)\".*" "\\1" PyArrow_SO_VERSION "${_line}")

foreach(_name arrow compute acero dataset parquet)
  set(_library arrow_${_name})
  if(_name STREQUAL "arrow" OR _name STREQUAL "parquet")
    set(_library ${_name})
  endif()
  if(NOT TARGET PyArrow::${_name})
    add_library(PyArrow::${_name} SHARED IMPORTED)
    set_target_properties(PyArrow::${_name} PROPERTIES
      IMPORTED_LOCATION "${PyArrow_DIR}/lib${_library}.so.${PyArrow_SO_VERSION}"
      INTERFACE_INCLUDE_DIRECTORIES "${PyArrow_DIR}/include"
      INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${PyArrow_DIR}/include")
    if(NOT _name STREQUAL "arrow")
      set_property(TARGET PyArrow::${_name} PROPERTY INTERFACE_LINK_LIBRARIES PyArrow::arrow)
    endif()
  endif()
endforeach()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(PyArrow REQUIRED_VARS PyArrow_DIR PyArrow_SO_VERSION)
