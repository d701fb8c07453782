"""Whether a sentence in another language than its source speaks of something done. Pure.

English and German claims are told by their form (`claims`). In any other language a sentence is compared with its
source by its numbers alone, so here a word of doing, or a perfect, is enough to hold it back: an answer in French that
is too careful can be asked again, a refund that never was cannot.
"""

import re
import unicodedata
from typing import Final

from supportbot.language.normalise import INVISIBLE

_SOME_WORDS: Final = r"\s+(?:\w+\s+){0,3}"
_DEEDS: Final = (
    # French
    rf"\b(?:ai|avons|a|ont|est|sont|été|sera){_SOME_WORDS}\w+(?:é|ée|és|ées)\b",
    r"\b(?:rembours|annul|crédit|modifi|chang|vers|envoy|confirm)(?:é|ée|és|ées|erons|erai|ons)\b|\ben route\b",
    r"\b(?:viens|vient|venons) de\b|\b(?:effectué|réalisé|terminé)e?s?\b|\best partie?\b|\bexiste plus\b",
    r"\bc['’]est (?:fait|réglé|bon)\b|\bfait le nécessaire\b|\bm['’]en suis\b",
    r"\bvous (?:rend(?!ez\b)|rembours|crédit|vers(?!ez\b))\w*",
    # "The costs of return" are a rule.
    r"(?<!frais )(?<!délai )(?<!délais )(?<!colis )(?<!étiquette )(?<!bon )(?<!politique )"
    r"(?<!conditions )\bde retour\b",
    # Spanish and Portuguese
    rf"\b(?:he|hemos|ha|han|fue|fueron|está|queda|será|sido|foi|foram|já|tenho|temos){_SOME_WORDS}"
    r"\w+(?:ad[oa]s?|id[oa]s?|ech[oa]|eit[oa])\b",
    r"\b(?:reembols|cancel|anul|cambi|modific|envi|abon|devolv|alter|estorn)(?:é|ei|[aáei]mos|aremos|aré|ad[oa]s?|ido)\b",
    r"\b(?:(?:en|de) camino|a caminho|de vuelta|de volta)\b|\bacab(?:o|a|amos) de\b",
    r"\b(?:hech|realizad|efectuad|feit)[oa]s?\b|(?<!la )(?<!una )(?<!esta )(?<!las )\blist[oa]s?\b",
    r"\b(?:l[eo]s?|te|os|lhe) (?:dev[ou]|reembols|abon)\w*",
    # Whatever comes about now, and no rule speaks of: French, Spanish, Portuguese, Italian, Dutch
    r"\b(?:maintenant|désormais|aujourd['’]hui|demain|ahora|hoy|mañana|ya(?! (?:que|no)\b)|agora|hoje|amanhã|já"
    r"|adesso|oggi|domani|già|vandaag|zojuist)\b",
    r"\bnu\b(?! (?:pute|po[at]|se\b|este|sunt|ave|trebuie|exist|v[ăa]\b|oferim|accept))",  # and no Romanian "not"
    # Italian and Romanian
    rf"\b(?:ho|abbiamo|è|sono|stat[oaie]|sarà){_SOME_WORDS}\w+(?:[aiu]t[oaie]|ss[oa]|tto)\b|\bin arrivo\b",
    r"\b(?:rimbors|annull|modific|invi|accredit)(?:ato|ata|eremo|erò|iamo)\b",
    rf"\b(?:am|au|fost){_SOME_WORDS}(?:ramburs|anul|modific|trimi)\w*",
    # Dutch and the Scandinavian languages
    r"\b(?:heb|hebben|heeft|is|zijn|werd|wordt)\b.*\b(?:terug(?:betaald|gestort)|geannuleerd|gewijzigd|verstuurd|vergoed)",
    r"\bonderweg\b|\bpå v(?:ej|äg|ei)\b",
    r"\b(?:refunder|tilbagebetal|återbetal|tilbakebetal|annuller|avbeställ|ändrat|ændret|endret)\w*",
    # Polish, Czech, Turkish, Finnish, Hungarian
    r"\b(?:zwróci|zwrócon|anulowa|zmieni|wysła|zrealizowa|vráti|vrácen|zruši|zrušen|změni)\w*",
    r"\b(?:iade|iptal) (?:et|edil)\w*|\b(?:değiştir|gönderil)\w*|\byolda\b",
    r"\b(?:palaut|peruut|peruttu|peruttiin|visszatérít|visszafizet|töröl|lemond)\w*",
    # Russian, Ukrainian, Greek
    r"верн[уё]|возвра[тщ]|возмещ|отмен|измен[её]н|изменил|зачисл|переве[лд]|отправ|в пути|поверн|скасов|змінен|відправ",
    r"επιστρ|επέστρ|ακυρ|άλλαξ|στάλθηκ|καθ οδόν",
    # Arabic, Hebrew, Hindi
    r"تم |استرد|استرجاع|ألغي|إلغاء|غيّر|تغيير|أعدنا|في الطريق|הוחזר|החזרנו|זוכה|זיכינו|בוטל|ביטלנו|שונתה|בדרך",
    r"वापस|रिफ़ंड|रिफंड|रद्द|बदल दि|भेज दि",
    # Chinese, Japanese, Korean, Vietnamese, Thai, Indonesian
    r"退款|退还|退還|取消|更改|修改|已为您|已為您|已经|已經|已寄|已发|返金|払い戻|キャンセル|取り消|変更|発送しました",
    r"환불|취소|변경|발송|đã |hoàn tiền|คืนเงิน|ยกเลิก|เปลี่ยน",
    r"\b(?:telah|sudah)\s+(?:\w+\s+){0,2}(?:di|me)\w+",
)
_DONE: Final = re.compile("|".join(_DEEDS))


def speaks_of_a_deed(sentence: str) -> bool:
    """Return whether a sentence in a language we cannot compare may say that something was done for the customer."""
    return _DONE.search(unicodedata.normalize("NFKC", INVISIBLE.sub("", sentence)).lower()) is not None
