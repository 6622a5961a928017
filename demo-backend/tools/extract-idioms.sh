#!/usr/bin/env bash
# Writes src/main/resources/idioms.tsv anew. Needs: Debian's python3-jieba (the dictionary), JDK 25
# in JAVA_HOME, mvn (fetches HanLP, the readings, from Maven Central). Not part of the build.
set -euo pipefail
cd "$(dirname "$0")"
hanlp=portable-1.8.6
dict=$(dpkg -L python3-jieba | grep '/jieba/dict\.txt$')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mvn -B -q -ntp -f ../../pom.xml -N \
  org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
  -Dartifact=com.hankcs:hanlp:$hanlp -DoutputDirectory="$work"
"$JAVA_HOME/bin/java" -cp "$work/hanlp-$hanlp.jar" ExtractIdioms.java "$dict" corrections.tsv \
  >"$work/idioms.tsv"
mv "$work/idioms.tsv" ../src/main/resources/idioms.tsv
wc -l ../src/main/resources/idioms.tsv
