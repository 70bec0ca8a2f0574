// Linked with the C client's tests: `--names` prints the name of every test; anything else goes to the tests' own main.

#include <cstring>
#include <iostream>
#include <memory>

#include <cppunit/Test.h>
#include <cppunit/extensions/TestFactoryRegistry.h>

extern "C" int __real_main(int argc, char *argv[]);

static void print(const CppUnit::Test &test) {
  if (test.getChildTestCount() == 0) std::cout << test.getName() << "\n";
  for (int i = 0; i < test.getChildTestCount(); i++) print(*test.getChildTestAt(i));
}

extern "C" int __wrap_main(int argc, char *argv[]) {
  if (argc != 2 || strcmp(argv[1], "--names") != 0) return __real_main(argc, argv);
  std::unique_ptr<CppUnit::Test> all(CppUnit::TestFactoryRegistry::getRegistry().makeTest());
  print(*all);
  return 0;
}
