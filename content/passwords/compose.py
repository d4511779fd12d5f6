#!/usr/bin/env python3
"""Composes common.txt beside it: words that people choose as passwords, and their usual joins.

Nothing here is copied from a list of leaked passwords; the words and the ways to join them are ours.
"""

import itertools
import pathlib
import unicodedata

ENGLISH = """
password passwort passwd passphrase secret secrets login logon signin welcome letmein access admin
administrator root superuser user guest default test tester testing demo sample example public private
changeme change changeit nothing something anything whatever unknown nobody master mistress owner boss
manager director president office company corporate business internet intranet network server database
computer laptop desktop keyboard monitor windows microsoft google apple android iphone samsung sony
nintendo playstation xbox pokemon pikachu mario zelda minecraft fortnite google facebook instagram twitter
youtube amazon netflix yahoo linux ubuntu debian oracle cisco dragon monkey tiger lion eagle panther
wolf bear horse donkey rabbit turtle dolphin shark whale kitten kitty puppy doggy buddy lucky charlie
bailey buster cookie coffee cheese chocolate banana orange apple cherry strawberry pepper ginger sugar
honey candy butter pumpkin flower rose lily daisy violet jasmine summer winter spring autumn monday
tuesday wednesday thursday friday saturday sunday january february march april june july august
september october november december sunshine moonlight starlight rainbow thunder lightning storm shadow
phoenix angel devil heaven hell jesus christ church bible freedom liberty justice peace forever
together family mother father brother sister daughter baby babygirl babyboy princess prince queen king
knight ninja samurai warrior hunter killer ranger soldier captain general pirate wizard magic mustang
porsche ferrari mercedes toyota honda yamaha harley corvette camaro football baseball basketball soccer
hockey tennis golf rugby runner swimmer yankees cowboys lakers chelsea liverpool arsenal barcelona
madrid juventus london paris berlin tokyo osaka newyork boston chicago dallas texas florida california
america canada mexico brazil england france germany italy spain russia china japan korea india
australia africa europe hello goodbye iloveyou loveyou lovely lover love iloveu imissyou kisses sweet
sweetheart darling beautiful handsome pretty sexy happy happiness smile trustno trustme believe
dreamer dream hope faith destiny power energy matrix batman superman spiderman ironman starwars
jedi yoda skywalker startrek hobbit gandalf harrypotter hogwarts simpson homer garfield snoopy mickey
minnie disney barbie computerscience engineer doctor teacher student school college university money
dollar million diamond silver golden platinum crystal purple yellow green black white orange blue
firewall security secure router switch system service backup support helpdesk operator training temp
temporary newpassword oldpassword mypassword thepassword yourpassword nopassword passwords
abc123abc letmeinnow opensesame openup fuckyou asshole bullshit qwertyuiop
""".split()

NAMES = """
james john robert michael william david richard joseph thomas charles christopher daniel matthew anthony
mark donald steven paul andrew joshua kenneth kevin brian george edward ronald timothy jason jeffrey ryan
jacob gary nicholas eric jonathan stephen larry justin scott brandon benjamin samuel gregory frank
alexander raymond patrick jack dennis jerry mary patricia jennifer linda elizabeth barbara susan jessica
sarah karen nancy lisa betty margaret sandra ashley kimberly emily donna michelle dorothy carol amanda
melissa deborah stephanie rebecca sharon laura cynthia kathleen amy angela shirley anna brenda pamela
emma nicole helen samantha katherine christine debra rachel carolyn janet catherine maria heather diane
ruth julie olivia joyce virginia victoria kelly lauren christina joan evelyn judith megan andrea cheryl
hannah jacqueline martha gloria teresa sara madison frances kathryn janice jean alice abigail sophia
""".split()

JAPANESE = """
himitsu pasuwado angou anshou kagi aikotoba sakura sakurako himawari ajisai tsubaki botan momiji kaede
matsutake takenoko umeboshi ichigo mikan ringo budou suika momotaro kintaro urashima kaguya onigiri sushi
ramen udon soba tempura tonkatsu karaage takoyaki okonomiyaki yakiniku sukiyaki nattou tofu miso shoyu
ocha matcha sencha sake biiru nihon nippon japan fujisan fuji hokkaido aomori iwate miyagi akita yamagata
fukushima ibaraki tochigi gunma saitama chiba tokyo kanagawa niigata toyama ishikawa fukui yamanashi nagano
gifu shizuoka aichi mie shiga kyoto osaka hyogo nara wakayama tottori shimane okayama hiroshima yamaguchi
tokushima kagawa ehime kochi fukuoka saga nagasaki kumamoto oita miyazaki kagoshima okinawa sapporo sendai
yokohama kawasaki nagoya kobe shibuya shinjuku ikebukuro ginza akihabara ueno asakusa harajuku roppongi
sato suzuki takahashi tanaka watanabe ito yamamoto nakamura kobayashi kato yoshida yamada sasaki yamaguchi
matsumoto inoue kimura hayashi saito shimizu yamazaki mori abe ikeda hashimoto yamashita ishikawa nakajima
maeda fujita ogawa goto okada hasegawa murakami kondo ishii sakamoto endo aoki fujii nishimura fukuda ota
miura okamoto matsuda nakagawa nakano harada ono tamura takeuchi kaneko wada nakayama ishida ueda morita
taro jiro saburo shiro hanako yoshiko keiko kazuko akiko yuko yumiko tomoko naoko hiroshi takashi makoto
kenji kenichi daisuke takuya shota kenta tsubasa haruto yuto sota minato yui hina aoi rin mei misaki nanami
ayaka haruka asuka ayumi mariko michiko sachiko neko nyanko inu wanwan usagi kuma panda tanuki kitsune tora
ryuu kame tsuru hato karasu pikachu doraemon nobita totoro ghibli naruto sasuke goku onepiece luffy gundam
evangelion conan anpanman hellokitty kitty pochi tama momo hana sora umi yama kawa hoshi tsuki taiyou yuki
ame kaze kumo niji haru natsu aki fuyu asahi kirin sapporo suntory toyota honda nissan mazda subaru sony
toshiba hitachi fujitsu panasonic sharp canon nikon kyocera rakuten docomo softbank giants tigers dragons
carp swallows hanshin kyojin yakyuu sakkaa sumou judo kendo karate aikido ninja samurai shogun bushido
daisuki aishiteru suki ureshii tanoshii genki ganbare ganbatte arigatou konnichiwa ohayou sayonara moshimoshi
kazoku okaasan otousan oniisan oneesan obaachan ojiichan akachan tomodachi sensei gakkou daigaku kaisha
shachou buchou kachou shain eigyou keiri soumu jinji jouhou kanri kanrisha sisutemu netto kintai kaigi
""".split()

ROWS = ["1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "abcdefghijklmnopqrstuvwxyz"]
COLUMNS = ["1qaz", "2wsx", "3edc", "4rfv", "5tgb", "6yhn", "7ujm"]
TAILS = ["admin", "love", "pass", "password", "user", "test", "login", "123abc"]
HEADS = ["my", "the", "new", "super", "i", "love", "ilove", "admin", "test", "iam", "big", "hello"]


def walks():
    for row in ROWS:
        for text in (row, row[::-1]):
            for length in range(4, len(text) + 1):
                for start in range(len(text) - length + 1):
                    yield text[start : start + length]
    for count in range(1, 5):
        for start in range(len(COLUMNS) - count + 1):
            some = COLUMNS[start : start + count]
            yield "".join(some)
            yield "".join(column[::-1] for column in some)
    upper, lower = ROWS[1], ROWS[2]
    for first, second in (("1234567890", upper), (upper, lower), (lower, ROWS[3])):
        zigzag = "".join(a + b for a, b in zip(first, second))
        for length in range(4, len(zigzag) + 1):
            yield zigzag[:length]
    for first, second in itertools.permutations(ROWS[1:4], 2):
        for length in range(3, 7):
            yield first[:length] + second[:length]


def main():
    base = set(ENGLISH) | set(NAMES) | set(JAPANESE)
    words = set(base) | set(walks())
    for word in base:
        words.update(head + word for head in HEADS)
        words.update(word + tail for tail in TAILS)
        words.add(word + word[::-1])
    for family, given in itertools.product(
        "sato suzuki takahashi tanaka watanabe ito yamamoto nakamura kobayashi yamada".split(),
        "taro jiro hanako keiko yuko hiroshi takashi kenji haruto yui".split(),
    ):
        words.update((family + given, given + family))
    for left, right in itertools.permutations(
        "password admin welcome secret login master system server company office".split(), 2
    ):
        words.add(left + right)
    folded = {unicodedata.normalize("NFKC", word).lower() for word in words}
    # The end of a password is stripped of digits before it is looked up, so nothing is kept for it.
    kept = sorted((word for word in folded if len(word) >= 4), key=lambda w: w.encode())
    path = pathlib.Path(__file__).with_name("common.txt")
    path.write_text("".join(word + "\n" for word in kept), encoding="utf-8")
    print(len(kept), "words")


main()
