"""Words that may be shown before their sentence is whole, in any answer: they tell nobody of a deed. Pure.

The rest of what may be shown early are the words of the sources. A word of neither waits: it may begin a claim in a
language whose forms nobody listed.
"""

from typing import Final

from supportbot.llm.extractive.wordlists import word_set
from supportbot.llm.extractive.words import STOP_WORDS, stem

_ENGLISH: Final = """
above according ago ahead almost alone along already always another answer answers any anybody anyone anything anyway
apologies apologise apologize around ask asked asking assist assistant available away bad begin begins below best
better bit both bottom case certain certainly check choose click clear come common could day days depend depends
describe detail details different difficult directly each early easy either else end enough especially even evening
ever every everything exactly example explain fact far few find fine first follow following four free friendly front
further general glad gladly go good great guess happen happened happens happy hard have hear hello help helps here
hi hope hour hours however hurry if important inconvenience information instead interest join keep kind later least
left less let's line little longer look looks lot luck main make makes mean means mention minute minutes moment month
months morning near necessary never new next nice nobody normally nothing number often okay old one open
opens option options ourselves own page pages part particular patience people perfect perhaps person place plain
pleasure point possible practice press problem question questions quick quickly quite rather read ready really reason
recommend right sad safe second section see sentence several share short show shows side sign simple simply since
site small somebody someone something sometimes soon sorry sort stay step steps stop straight sure take takes talk team
tell ten thing things think third three time times together top total try twice two understand use used
useful usual usually wait way ways website week weeks welcome well whether whole whom wish without wonderful word words
work works worry write wrong year years yes yet yourself
ain aren can couldn didn doesn don hadn hasn haven isn ll re shouldn ve wasn weren won wouldn
"""
_GERMAN: Final = """
abend alle allem allen aller alles allerdings also ander andere anderen anderer anderes anfang anfangen angaben antwort
antworten ausserdem außerdem bald beide beiden beispiel besonders besser beste besten bestimmt bevor bin bisschen
danach daran darauf darin darüber darum davon dazu demnach denken deshalb direkt dort drei dürfen eben ehrlich
eigentlich einfach einmal einzelne einzelnen ende entschuldigung entweder erklären erst erste ersten erster fall falls
fast fehlt finden findet folgende folgenden frage fragen frei freut früh funktioniert ganz ganze ganzen gar geben gegen
gehen gemeinsam genau genug gern gerne gibt gleich gut gute guten guter hallo helfen hier hilfe hilfeseite hilfeseiten
hinten hinweis hoffe immer indem insgesamt jede jedem jeden jeder jederzeit jedes jedoch jemand jeweils kaum klar klein
kleine klicken kommen kurz länger leider leicht lesen letzte letzten lieber liegen machen manchmal mehr meist meisten
meistens mensch menschen minute minuten mindestens mitte moment monat monate möglich möglichst morgen morgens müsste
nächste nächsten name natürlich neben nein neu neue neuen nichts nie niemand normalerweise nutzen oben offen oft öffnen
ort person prüfen punkt raten recht reicht richtig sache sagen schnell schön schreiben schritt schritte sehen seite
seiten selbst sicher siehe sobald sofern somit sonst sowie sowohl später solange statt stehen steht stelle
stellen stimmen stunde stunden suchen tag tage tagen tun übrigens unten unterschied verstehe verstehen vielleicht
vielen vier vorher wählen wahrscheinlich warten weder weg weiter weitere weiteren weiterhelfen wenig weniger wichtig
wissen woche wochen wochenende wollen wort worum wünsche zeigen zeit zuerst zunächst zusammen zwar zwei zweite zweiten
"""
EVERYDAY: Final = frozenset(map(stem, STOP_WORDS | word_set(_ENGLISH) | word_set(_GERMAN)))
