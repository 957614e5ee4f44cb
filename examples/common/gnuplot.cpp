#include "gnuplot.hpp"

#include "text.hpp"

#include <gradus/core/error.hpp>

#include <csignal>
#include <cstdio>

void draw_picture(OutputFile& file, int width, int height, const std::string& script) {
#ifdef SIGPIPE
  std::signal(SIGPIPE, SIG_IGN);  // that gnuplot is not there is for its status to tell
#endif
  const std::string head = formatted("set terminal svg size %d,%d", width, height) +
                           " noenhanced font 'Helvetica,12' background '#ffffff'\n"
                           "set output " +
                           gnuplot_quoted(file.part()) +
                           "\nset datafile separator ','\n"
                           "set style line 1 lc rgb '#0072b2' lw 2\nset style line 2 lc rgb '#d55e00' lw 2\n"
                           "set grid lc rgb '#e4e4e4' lt 1\nset border 3\nset tics nomirror\n";
  std::FILE* pipe = popen("gnuplot", "w");
  if (pipe) std::fputs((head + script).c_str(), pipe);
  if (!pipe || pclose(pipe) != 0) {
    throw gradus::FileError(file.path() + ": gnuplot did not draw it; to install it: apt-get install gnuplot-nox");
  }
  file.put_in_place();
}

std::string data_block(const std::string& name, const gradus::Tensor& table) {
  return "$" + name + " << END\n" + csv_rows(table) + "END\n";
}

std::string gnuplot_quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) {
    quoted += static_cast<unsigned char>(c) < ' ' ? '?' : c;
    if (c == '\'') quoted += c;
  }
  return quoted + "'";
}
