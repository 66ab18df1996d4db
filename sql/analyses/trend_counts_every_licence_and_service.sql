-- The newest day of the trend counts the licences and services of every user.
with newest as (
  select tenant_id, max(position_date) as newest_date
  from {{ ref('license_positions_daily') }}
  group by 1
)

select t.tenant_id, t.sku_id || ' ' || t.service as of_what, cast(t.entitled_users as bigint) as one_sum, coalesce(a.licenses, 0) as other_sum, 'license_activity' as people
from {{ ref('license_activity_trend') }} as t
join newest as n on n.tenant_id = t.tenant_id and n.newest_date = t.activity_date
left join (
  select tenant_id, sku_id, service, count(*) as licenses
  from {{ ref('license_activity') }}
  group by 1, 2, 3
) as a on a.tenant_id = t.tenant_id and a.sku_id = t.sku_id and a.service = t.service
where t.service <> 'Sign-in'
