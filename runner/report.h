// How both programs end: 0 done, 1 the run failed, 2 the spec, a plugin, the data or the usage is wrong.
#pragma once

#include <iostream>

#include <boost/program_options.hpp>

#include <sectile/error.h>

template <class Command>
int report(Command command) {
  const auto say = [](const std::exception& error, int code) {
    std::cerr << error.what() << "\n";
    return code;
  };
  try {
    command();
    return 0;
  } catch (const sectile::SpecError& error) {
    return say(error, 2);
  } catch (const sectile::PluginError& error) {
    return say(error, 2);
  } catch (const sectile::DataError& error) {
    return say(error, 2);
  } catch (const boost::program_options::error& error) {
    return say(error, 2);
  } catch (const std::exception& error) {
    return say(error, 1);
  }
}
