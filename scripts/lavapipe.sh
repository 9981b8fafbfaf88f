#!/usr/bin/env bash
# Prints the path of the software Vulkan driver's description (lavapipe), or nothing.
for folder in /usr/share/vulkan/icd.d /usr/local/share/vulkan/icd.d /etc/vulkan/icd.d; do
  for file in "$folder"/lvp_icd*.json; do
    if [ -e "$file" ]; then
      echo "$file"
      exit
    fi
  done
done
